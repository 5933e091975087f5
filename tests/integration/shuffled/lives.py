"""What may become of voices and generations."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationRequested

BEGINNING = datetime(2026, 1, 31, 23, 58, tzinfo=UTC)
SPEAKABLE = '{"engine_voice": "en-us", "language": "en-US"}'
UNSPEAKABLE = '{"engine_voice": "definitely", "language": "xx"}'
TOO_MUCH = 10_000_000
"""Characters that no plan covers."""


class Outcome(StrEnum):
    """How far a generation gets."""

    WAITING = "waiting"
    RENDERED = "rendered"
    STORED = "stored"
    REJECTED = "rejected"
    UNSPEAKABLE = "unspeakable"
    REFUSED = "refused"
    """Put off, and then not covered by the plan."""
    CANCELED = "canceled"


@dataclass(frozen=True)
class Voice:
    """A voice with so many revisions, rejected if with none; without an organisation it is everybody's and stays."""

    id: UUID
    org_id: UUID | None
    revisions: int
    deleted: bool

    @property
    def object_keys(self) -> list[str]:
        return [f"voices/orgs/{self.org_id}/{self.id}"] if self.org_id else []


@dataclass(frozen=True)
class Generation:
    """A generation and what becomes of it."""

    id: UUID
    org_id: UUID
    # Of the first who asked for the same; its own if that is itself.
    audio_id: UUID
    voice: Voice
    text: str
    outcome: Outcome
    deferred: bool
    deleted: bool

    @property
    def is_deferred(self) -> bool:
        return self.deferred or self.outcome is Outcome.REFUSED

    @property
    def is_rendered(self) -> bool:
        return self.outcome in (Outcome.RENDERED, Outcome.STORED, Outcome.REJECTED)

    @property
    def audio(self) -> bytes:
        return f"audio of {self.audio_id}: {self.text}".encode()

    @property
    def object_key(self) -> str:
        return f"generations/orgs/{self.org_id}/{self.audio_id}/{hashlib.sha256(self.audio).hexdigest()[:16]}.mp3"

    @property
    def requested(self) -> GenerationRequested:
        return GenerationRequested(
            generation_id=str(self.id),
            org_id=str(self.org_id),
            voice_id=str(self.voice.id),
            text=self.text,
            characters=TOO_MUCH if self.outcome is Outcome.REFUSED else len(self.text),
            format="mp3_22050_64",
            engine="espeak-ng",
            engine_settings=UNSPEAKABLE if self.outcome is Outcome.UNSPEAKABLE else SPEAKABLE,
            speed=1.0,
            requested_at=BEGINNING,
        )


class Ids:
    """Counted UUIDv7s of BEGINNING."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def __call__(self) -> UUID:
        milliseconds = int(BEGINNING.timestamp() * 1000)
        return UUID(int=(milliseconds << 80) | (7 << 76) | (0b10 << 62) | next(self._count))


class Clock:
    """Two minutes before the end of a month, and three seconds later with every look."""

    def __init__(self) -> None:
        self._count = itertools.count()

    def __call__(self) -> datetime:
        return BEGINNING + timedelta(seconds=3 * next(self._count))


@dataclass(frozen=True)
class Brought:
    """A text that a client has brought to be found."""

    id: UUID
    org_id: UUID
    text: str
