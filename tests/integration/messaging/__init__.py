"""Tests of the messaging libraries."""
