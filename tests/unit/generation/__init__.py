"""Tests of the generation service."""
