"""What the use cases work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.audio.intake import Examined
from libs.database import Database
from libs.objectstore import ObjectStore
from services.voice.adapters.quota import VoiceQuota
from services.voice.domain import Matched, Reference
from services.voice.domain.alignments import Aligned, Recording
from services.voice.domain.uploads import Uploaded

Examine = Callable[[bytes], Awaitable[Examined]]
"""Decodes and measures the bytes of a file. Raises IntakeError, IntakeUnavailable."""

Match = Callable[[Reference], Awaitable[Matched]]
"""Finds how the engine speaks like a reference. Raises MatchingFailed."""

Align = Callable[[Recording], Awaitable[Aligned]]
"""Finds when each character of a text is spoken. Raises AligningFailed."""

FindUploads = Callable[[UUID, Sequence[UUID]], Awaitable[list[Uploaded]]]
"""Finds finished uploads of an organisation by their ids. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What requests are answered with."""

    database: Database
    objects: ObjectStore
    clock: Callable[[], datetime]
    examine: Examine
    align: Align
    quota: VoiceQuota
    find_uploads: FindUploads


@dataclass(frozen=True, slots=True)
class Workshop:
    """What recordings are examined and matched with."""

    database: Database
    objects: ObjectStore
    clock: Callable[[], datetime]
    examine: Examine
    match: Match
