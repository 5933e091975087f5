"""Pieces of speech as they are read back: whole, or not what was kept."""

from __future__ import annotations

import hashlib

from libs.speech.kept import KeptChunk, NotKept, unpack


class PieceDamaged(Exception):
    """What lies in the object store is not the piece that was kept."""


def whole_piece(content: bytes, *, sha256: str | None, samples: int | None) -> KeptChunk:
    """Return what was kept as `content`, of this SHA-256 (hexadecimal; None: nobody knows) and so many samples.

    Raises PieceDamaged.
    """
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise PieceDamaged
    try:
        kept = unpack(content)
    except NotKept:
        raise PieceDamaged from None
    if samples is not None and kept.samples != samples:
        raise PieceDamaged
    return kept
