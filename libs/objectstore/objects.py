"""What objects are, what identifies their content, and what goes wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

STORED_TYPES = {"audio/wav": "audio/vnd.wave"}
"""Under which names types are stored: SeaweedFS compresses what is `audio/wav` as it comes in, takes it apart again to
check it, and once more whenever it is read, which costs four times what storing it does. `audio/vnd.wave` is the name
by which IANA knows the same."""


class ObjectMissing(Exception):
    """There is no object under that key."""


class ObjectStoreUnavailable(OSError):
    """The object store did not do what it should; trying again later may help."""


@dataclass(frozen=True, slots=True)
class ObjectStoreAddress:
    """Where the object store is and who we are to it."""

    endpoint: str
    region: str
    bucket: str
    access_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class ObjectReader:
    """An object, or the asked part of it, while it is read.

    `status` is 200 or 206 (or 304, 412, 416 without content); `headers` are the store's, lower-case names, with the
    type that the object was written with.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing tells of it: its size in bytes, and when all of it was there."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Digests:
    """What identifies a content, in lower-case hexadecimal."""

    sha256: str
    md5: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written: SHA-256 and MD5 in lower-case hexadecimal, and its size in bytes.

    No MD5 of what was written in several parts: the store does not know it by that.
    """

    sha256: str
    md5: str
    size: int


def digests(content: bytes) -> Digests:
    """Return what identifies `content`; about a millisecond for 256 KiB."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Digests(sha256=hashlib.sha256(content).hexdigest(), md5=md5)
