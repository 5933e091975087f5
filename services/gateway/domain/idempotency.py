"""Requests that are done once, however often they arrive: how they are recognised, and what a repetition is told."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from services.gateway.domain.failures import InvalidIdempotencyKey

KEPT_FOR = timedelta(hours=24)
"""How long an `Idempotency-Key` is remembered, from its first request on."""
RETRIED_WITHIN = timedelta(minutes=2)
"""How long a request without a key is remembered, from its last sign of life on: libraries wait for 60 s at most."""
LEASE = timedelta(seconds=10)
"""For how long nobody else does a request whose gateway has gone silent."""
STORED_BYTES = 256 * 1024
"""The longest answer that is kept; a longer one is made again from what the request has made."""
KEY_CHARACTERS = 255
COMMITTED = 0
"""In place of a status: what the gateway was asked for is done, and not answered yet."""

_CLIENT_ERRORS, _SERVER_ERRORS = 400, 500
_KEY = re.compile(rf"[\x21-\x7e]{{1,{KEY_CHARACTERS}}}")
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
# Of an answer that is given again the server frames the body anew, and the request has an id of its own.
_NOT_KEPT = frozenset((b"connection", b"content-length", b"date", b"transfer-encoding", b"x-request-id"))


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that may arrive again. The hashes are SHA-256: of what it is known by, and of what it says.

    `has_key`: its client sent an `Idempotency-Key`. The rest is for those without: `counts_retries` says that the
    client tells which of its requests are repetitions, `is_first` that this is none.
    """

    org_id: UUID
    key_hash: bytes
    request_hash: bytes
    has_key: bool
    counts_retries: bool = False
    is_first: bool = False

    @property
    def kept_for(self) -> timedelta:
        """For how long it is remembered."""
        return KEPT_FOR if self.has_key else RETRIED_WITHIN


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a request.

    `status` is None until it is answered, and COMMITTED in between where the gateway itself did it; `answer` is None if
    it was not kept.
    """

    request_hash: bytes
    resource_id: UUID
    status: int | None
    answer: bytes | None
    leased_until: datetime


class Course(Enum):
    """What is done about a request that somebody else does, or has done."""

    REFUSE_REUSE = auto()
    REFUSE_RUNNING = auto()
    REFUSE_LOST = auto()
    JOIN = auto()
    REPLAY = auto()
    REMAKE = auto()


def course_of(request: Repeatable, record: Record, now: datetime) -> Course:
    """Return what becomes of `request`, whose `record` could not be taken over."""
    if record.request_hash != request.request_hash:
        return Course.REFUSE_REUSE
    if record.status == COMMITTED:
        return Course.REFUSE_RUNNING if now < record.leased_until else Course.REFUSE_LOST
    if record.status is not None:
        return Course.REMAKE if record.answer is None else Course.REPLAY
    # Without a key nobody expects a refusal: the service, asked for the same thing twice, makes it once.
    return Course.REFUSE_RUNNING if request.has_key else Course.JOIN


class Outcome(Enum):
    """What an answer means for the repetitions of its request."""

    ANSWERED = auto()
    """They get the same."""
    OVER = auto()
    """There are none: what comes next is a new request."""
    UNCERTAIN = auto()
    """They are tried again, and find what was made, if something was."""


def outcome_of(status: int) -> Outcome:
    """Return what an answer of this status means: what was refused may be put right and sent again under its key."""
    if status >= _SERVER_ERRORS:
        return Outcome.UNCERTAIN
    return Outcome.OVER if status >= _CLIENT_ERRORS else Outcome.ANSWERED


def checked_key(values: Sequence[str]) -> str:
    """Return the key that the values of the header `Idempotency-Key` are; raises InvalidIdempotencyKey."""
    if len(values) != 1:
        raise InvalidIdempotencyKey("was sent more than once; send one key")
    if not _KEY.fullmatch(values[0]):
        raise InvalidIdempotencyKey(
            f"must be 1 to {KEY_CHARACTERS} visible ASCII characters without spaces, such as a UUID"
        )
    return values[0]


def hash_of(*parts: bytes) -> bytes:
    """Return one SHA-256 of several parts, each told from the next by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


class BodyHash:
    """The SHA-256 of a request's body, taken while it comes in.

    Libraries draw the boundary of a multipart form anew for every attempt: it does not count.
    """

    def __init__(self, content_type: str | None) -> None:
        """`content_type` as the request says it."""
        self._digest = hashlib.sha256()
        self._boundary = _boundary_of(content_type)
        self._tail = b""

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._boundary is None:
            self._digest.update(piece)
            return
        *whole, rest = (self._tail + piece).split(self._boundary)
        for part in whole:
            self._digest.update(part + b"--")
        # What may be the beginning of a boundary waits for the rest of it.
        sure = max(0, len(rest) - len(self._boundary) + 1)
        self._digest.update(rest[:sure])
        self._tail = rest[sure:]

    def digest(self) -> bytes:
        """Return the hash of all of it."""
        self._digest.update(self._tail)
        self._tail = b""
        return self._digest.digest()


def _boundary_of(content_type: str | None) -> bytes | None:
    if content_type is None or not content_type.lower().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(content_type)
    return f"--{found[1] or found[2]}".encode() if found else None


def kept_headers(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return those of an answer's headers that are given again."""
    return [header for header in headers if header[0].lower() not in _NOT_KEPT]


def is_kept_whole(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Say whether an answer with these headers is a document, to be kept if it is short, and no audio and no stream."""
    media = next((value for name, value in headers if name.lower() == b"content-type"), None)
    if media is None:
        return True
    kind = media.partition(b";")[0].strip().lower()
    return kind == b"application/json" or kind.endswith(b"+json")
