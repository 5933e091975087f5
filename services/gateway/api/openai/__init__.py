"""OpenAI's API, as its clients call it."""
