"""What examining a voice needs from outside."""
