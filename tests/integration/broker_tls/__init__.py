"""The broker behind TLS."""
