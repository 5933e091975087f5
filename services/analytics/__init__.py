"""What was used, by whom, and what is left."""
