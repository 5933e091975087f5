"""Requests for speech, and the workers that speak."""
