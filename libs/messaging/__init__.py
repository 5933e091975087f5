"""Consuming events: one way to declare, two ways to run, one way to fail."""

from __future__ import annotations

from libs.messaging.connection import Bus, NatsAddress, connect
from libs.messaging.declarations import Consumers, Delivery, Projection, Work, declared, projection, work
from libs.messaging.policy import Permanent, RetryPolicy, Unavailable

__all__ = [
    "Bus",
    "Consumers",
    "Delivery",
    "NatsAddress",
    "Permanent",
    "Projection",
    "RetryPolicy",
    "Unavailable",
    "Work",
    "connect",
    "declared",
    "projection",
    "work",
]
