"""Tests on a JetStream cluster of three servers."""
