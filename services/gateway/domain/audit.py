"""The audit log: entries that each seal the one before, so that no later hand can change one unnoticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

import orjson

FIRST_HASH = bytes(32)
"""What stands for the entry before the first one."""

Details: TypeAlias = Mapping[str, str | int | list[str] | None]
"""What was changed: ids, roles, scopes; no secrets, no addresses, no names of people."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that changed who may do what: when it was, by whom, with which key."""

    org_id: UUID
    seq: int
    at: datetime
    action: str
    key_id: UUID | None
    user_id: UUID | None
    details: Details

    def hash_after(self, previous: bytes) -> bytes:
        """Return what seals this entry behind one whose hash is `previous` (SHA-256)."""
        content = {
            "org_id": str(self.org_id),
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "action": self.action,
            "key_id": str(self.key_id) if self.key_id else None,
            "user_id": str(self.user_id) if self.user_id else None,
            "details": dict(self.details),
        }
        return hashlib.sha256(previous + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry as it is kept."""

    entry: Entry
    previous_hash: bytes
    hash: bytes


class Chain:
    """Follows entries in their order, and finds the first that is not as it was written."""

    def __init__(self) -> None:
        self.length = 0
        self.hash = FIRST_HASH
        self.broken_at: int | None = None

    def follow(self, entries: Iterable[Sealed]) -> None:
        """Go on with the next entries."""
        for one in entries:
            if self.broken_at is not None:
                return
            expected = self.length + 1
            if (
                one.entry.seq != expected
                or one.previous_hash != self.hash
                or one.hash != one.entry.hash_after(self.hash)
            ):
                self.broken_at = expected
                return
            self.length, self.hash = expected, one.hash

    def end(self, seq: int, last_hash: bytes) -> None:
        """Compare with what is known of the newest entry: entries may be missing from the end."""
        if self.broken_at is None and (seq, last_hash) != (self.length, self.hash):
            self.broken_at = min(self.length, seq) + 1 if seq != self.length else self.length
