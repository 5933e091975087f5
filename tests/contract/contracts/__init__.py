"""The contracts hold."""
