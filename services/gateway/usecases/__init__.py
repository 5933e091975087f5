"""What the gateway itself decides and records."""
