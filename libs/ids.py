"""Identifiers: UUIDv7 everywhere, so that keys sort by time and indexes stay compact."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7 as _uuid7

SYSTEM_ORG = UUID(int=0)
"""The scope in which system voices, which belong to no organisation, are written."""


def new_id(at: datetime | None = None) -> UUID:
    """Return a new UUIDv7 (RFC 9562): 48 bits of milliseconds, then random bits.

    It is dated by this machine's clock; where another process goes by its date, give it as `at`.
    """
    return _uuid7() if at is None else _uuid7(nanoseconds=int(at.timestamp() * 1000) * 1_000_000)


def parse_id(text: str) -> UUID | None:
    """Return the UUID that `text` spells in its canonical form, or None."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None
