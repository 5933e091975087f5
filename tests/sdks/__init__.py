"""Other vendors' clients against the gateway: what is run under them, and which of their routes we claim."""
