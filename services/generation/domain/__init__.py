"""What a generation is, how its text becomes speech, and the decisions about both."""
