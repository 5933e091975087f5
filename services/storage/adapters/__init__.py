"""What lies outside: the object store, and the process that looks into what clients send."""
