"""The door: who may come in, and which service answers."""
