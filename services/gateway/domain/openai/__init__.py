"""What OpenAI's API means here."""
