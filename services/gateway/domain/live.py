"""How events look in an event stream (Server-Sent Events, text/event-stream)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import orjson

from services.gateway.domain.organizations import Plan

Ending = Literal["too_slow", "key_changed", "restart"]
LossReason = Literal["expired", "unknown_id", "stream_lost"]

SUBSCRIBERS: Mapping[Plan, int] = {"free": 20, "pro": 200, "enterprise": 5_000}
"""How many of an organisation may listen at each replica at the same time: each costs memory there."""


class TooManySubscribers(Exception):
    """The organisation has as many streams open as its plan allows."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} subscribers")
        self.limit = limit


HEARTBEAT = b": heartbeat\n"
_ENDINGS: dict[Ending, bytes] = {
    "too_slow": b": too slow; reconnect, and you go on where you were\n\n",
    "key_changed": b": the API key was revoked or changed\n\n",
    "restart": b": restarting; reconnect, and you go on where you were\n\n",
}


def event_block(event_type: str, body: bytes, event_id: str | None) -> bytes:
    """Return an event; `body` is JSON without line breaks. Without an id the client's place stays where it is."""
    place = b"id: " + event_id.encode() + b"\n" if event_id is not None else b""
    return b"".join((place, b"event: ", event_type.encode(), b"\ndata: ", body, b"\n\n"))


def place_block(event_id: str) -> bytes:
    """Return what moves the client's place and is no event: clients hand out nothing for a block without data."""
    return b"id: " + event_id.encode() + b"\n\n"


def retry_block(milliseconds: int) -> bytes:
    """Return after which time a client that loses the connection shall come back."""
    return b"retry: " + str(milliseconds).encode() + b"\n\n"


def loss_block(reason: LossReason, event_id: str) -> bytes:
    """Return the event that says that there is a gap: the client should read anew whatever it shows."""
    return event_block("reset", orjson.dumps({"type": "reset", "data": {"reason": reason}}), event_id)


def ending_block(ending: Ending) -> bytes:
    """Return the comment with which a stream is ended."""
    return _ENDINGS[ending]
