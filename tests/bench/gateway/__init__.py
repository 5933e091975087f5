"""What the gateway adds to the services behind it."""
