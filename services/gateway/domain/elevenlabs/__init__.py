"""What ElevenLabs' API means here: its requests in our terms, our answers in its."""
