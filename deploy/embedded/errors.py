"""What the embedded stack says when it cannot go on."""

from __future__ import annotations


class StackError(Exception):
    """A reason to stop, written for the person at the terminal: what is wrong and what to do next."""
