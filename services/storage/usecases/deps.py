"""What the use cases work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.database import Database
from libs.objectstore import ByteCache, ObjectStore, PartsUploads, PublicSigner
from libs.web.known import Known
from services.storage.adapters.known_tracks import KnownTrack
from services.storage.adapters.probing import Prober

ARRIVAL_SECONDS = 5.0
"""How long a request waits for the news of audio that was made: the way of an event, and a restart of this service."""

SMALL_BYTES = 2**20
"""Up to how many bytes audio is small: what is read a hundred times is held in memory then."""


FindAudio = Callable[[UUID, UUID], Awaitable[UUID | None]]
"""Finds the audio that a generation of an organisation has, by their ids. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with."""

    database: Database
    objects: ObjectStore
    signer: PublicSigner
    small: ByteCache
    known: Known[KnownTrack]
    parts: PartsUploads
    prober: Prober
    clock: Callable[[], datetime]
    find_audio: FindAudio
    arrival_seconds: float = ARRIVAL_SECONDS
    small_bytes: int = SMALL_BYTES
