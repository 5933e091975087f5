"""The storage service: what was made, and where it lies."""
