"""Tests of the speech library without an engine."""
