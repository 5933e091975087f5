"""Benchmarks: figures with their targets, measured on the real system."""
