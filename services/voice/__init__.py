"""The voice service: the library of voices."""
