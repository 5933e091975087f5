"""When something happened."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def time_of(stamp: Timestamp) -> datetime:
    """Return the moment that an event tells."""
    return stamp.ToDatetime(tzinfo=UTC)
