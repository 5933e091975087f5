"""The embedding service's tables: what is written there, and how it is searched."""
