"""Backups of the embedded stack: databases, objects and what the broker alone knows, to any moment."""
