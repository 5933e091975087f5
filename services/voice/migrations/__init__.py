"""The history of the voice service's database."""
