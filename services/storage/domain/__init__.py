"""Decisions of the storage service: what is kept, who may read what, and which part of it."""
