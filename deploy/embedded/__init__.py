"""The embedded stack: the real servers from wheels and every service, as supervised processes of one machine."""
