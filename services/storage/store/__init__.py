"""The storage service's tables and the statements on them."""
