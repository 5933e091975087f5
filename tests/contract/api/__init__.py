"""The HTTP API and what is written of it."""
