"""What the analytics service writes for others to read."""
