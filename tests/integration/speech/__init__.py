"""Tests of the speech library with the real engine."""
