"""Tracks that were just sent, as they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.storage.domain.delivery import Representation

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class KnownTrack:
    """Audio that an organisation may have, and how it is sent: `headers` those of the whole, and of 304 without."""

    object_key: str
    representation: Representation
    headers: Headers
    unchanged_headers: Headers
