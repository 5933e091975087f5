"""Events that are written with the change they tell of, and reach the broker in order."""

from __future__ import annotations

from libs.outbox.outbox import OutboxHook, add
from libs.outbox.relay import Relay

__all__ = ["OutboxHook", "Relay", "add"]
