"""The gateway's schema."""
