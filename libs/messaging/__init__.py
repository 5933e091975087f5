"""Consuming events: one way to declare, two ways to run, one way to fail."""

from __future__ import annotations

from libs.messaging.connection import Bus, NatsAddress, NatsTls, connect
from libs.messaging.declarations import (
    Calls,
    Consumers,
    Delivery,
    Follows,
    Heeds,
    Overhears,
    Projection,
    Rebuildable,
    Serves,
    Signals,
    Work,
    declared,
    overhears,
    projection,
    work,
)
from libs.messaging.policy import Permanent, RetryPolicy, Unavailable
from libs.messaging.signals import Signal, heed, signal, signal_later

__all__ = [
    "Bus",
    "Calls",
    "Consumers",
    "Delivery",
    "Follows",
    "Heeds",
    "NatsAddress",
    "NatsTls",
    "Overhears",
    "Permanent",
    "Projection",
    "Rebuildable",
    "RetryPolicy",
    "Serves",
    "Signal",
    "Signals",
    "Unavailable",
    "Work",
    "connect",
    "declared",
    "heed",
    "overhears",
    "projection",
    "signal",
    "signal_later",
    "work",
]
