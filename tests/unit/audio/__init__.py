"""Tests of what audio is judged by."""
