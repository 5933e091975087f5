"""Tests of the database library."""
