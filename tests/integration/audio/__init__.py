"""Tests of the intake of audio with real files and processes."""
