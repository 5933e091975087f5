"""Places in the flow of events, and how clients carry them: sealed, as they would tell how busy others are."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

_TAG_BYTES = 16
_MARK_BYTES = 4
_SEQUENCE = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has got in each stream, by its number: they have been told everything up to `sequences`.

    `mark` tells the streams of today from others of the same names that were there before.
    """

    mark: bytes
    sequences: tuple[int, ...]

    def at(self, stream: int, sequence: int) -> Place:
        """Return the place behind one more event."""
        moved = list(self.sequences)
        moved[stream] = sequence
        return replace(self, sequences=tuple(moved))


def mark_of(created: Mapping[str, datetime | None]) -> bytes:
    """Return the mark of streams that were created then; None for one that does not exist yet."""
    described = ",".join(f"{name}={moment.isoformat() if moment else ''}" for name, moment in sorted(created.items()))
    return hashlib.sha256(described.encode()).digest()[:_MARK_BYTES]


class Seal:
    """Turns places into text that says nothing to others and cannot be made by them, and back.

    Deterministic authenticated encryption in the manner of RFC 5297: the tag over the content is the
    nonce of a key stream, both of HMAC. Equal places give equal texts, and that is all that is seen of them.
    """

    def __init__(self, secret: bytes, streams: int) -> None:
        """All replicas have the same `secret`; `streams` is how many there are, at most seven."""
        self._tag_key = hmac.digest(secret, b"antiphon place tag", "sha256")
        self._stream_key = hmac.digest(secret, b"antiphon place stream", "sha256")
        self._length = _MARK_BYTES + streams * _SEQUENCE.size
        if self._length > hashlib.sha512().digest_size:
            raise ValueError("more streams than one block of the key stream covers")

    def close(self, place: Place) -> str:
        """Return the text of `place`: letters, digits, - and _."""
        content = place.mark + b"".join(_SEQUENCE.pack(sequence) for sequence in place.sequences)
        tag = hmac.digest(self._tag_key, content, "sha256")[:_TAG_BYTES]
        return base64.urlsafe_b64encode(tag + self._crossed(tag, content)).decode().rstrip("=")

    def open(self, text: str) -> Place | None:
        """Return the place that `close` made into `text`; None for everything else."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        tag, crossed = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if len(crossed) != self._length:
            return None
        content = self._crossed(tag, crossed)
        if not hmac.compare_digest(tag, hmac.digest(self._tag_key, content, "sha256")[:_TAG_BYTES]):
            return None
        sequences: Sequence[tuple[int]] = list(_SEQUENCE.iter_unpack(content[_MARK_BYTES:]))
        return Place(content[:_MARK_BYTES], tuple(one for (one,) in sequences))

    def _crossed(self, tag: bytes, content: bytes) -> bytes:
        stream = hmac.digest(self._stream_key, tag, "sha512")
        return bytes(one ^ other for one, other in zip(content, stream, strict=False))
