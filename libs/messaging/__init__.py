"""Consuming events: one way to declare, two ways to run, one way to fail."""

from __future__ import annotations

from libs.messaging.connection import Bus, NatsAddress, NatsTls, connect
from libs.messaging.declarations import (
    Calls,
    Consumers,
    Delivery,
    Overhears,
    Projection,
    Rebuildable,
    Serves,
    Work,
    declared,
    overhears,
    projection,
    work,
)
from libs.messaging.policy import Permanent, RetryPolicy, Unavailable

__all__ = [
    "Bus",
    "Calls",
    "Consumers",
    "Delivery",
    "NatsAddress",
    "NatsTls",
    "Overhears",
    "Permanent",
    "Projection",
    "Rebuildable",
    "RetryPolicy",
    "Serves",
    "Unavailable",
    "Work",
    "connect",
    "declared",
    "overhears",
    "projection",
    "work",
]
