"""What replicas of the gateway tell each other, by signals that may be lost."""

from __future__ import annotations

KEYS = "keys"
"""Something about a key was changed."""
WEBHOOKS = "webhooks"
"""Something is to be told to webhooks."""
