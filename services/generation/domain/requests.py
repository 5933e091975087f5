"""What clients ask for, and what has become of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from services.generation.domain.errors import AudioExpired, GenerationFailedError, GenerationUnfinished, WrongState

TEXT_MAX_LENGTH = 5000
"""Characters (code points) of one interactive request; from the platform's data model."""
JOB_TEXT_MAX_LENGTH = 1_000_000
"""Characters of a job: a long book."""
DICTIONARIES_MAX = 3
PITCH_RANGE = (-12.0, 12.0)
"""Semitones."""
VOLUME_RANGE = (0.0, 2.0)
SEED_MAX = 2**32 - 1
WAIT_MAX_SECONDS = 60
_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?(?:$|[,;\s])", re.IGNORECASE)
PARAMETERS = ("temperature", "top_p", "top_k", "repetition_penalty", "speed", "pitch", "volume", "seed")
"""What a client may set and an engine may honour."""

Status = Literal["pending", "processing", "completed", "failed", "canceled"]
Mode = Literal["interactive", "job"]
InputType = Literal["text", "ssml"]
DETECT = "auto"
"""The language of a request whose language is to be found out."""


@dataclass(frozen=True, slots=True)
class DictionaryVersion:
    """One version of a pronunciation dictionary."""

    id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for; ranges were checked at the door. None of `speed`, `pitch`, `volume`: as the voice has it.

    `format` is the canonical name of an output format, `language` a BCP 47 tag, DETECT, or None for the voice's.
    `model_id` is another engine than the voice's own, and `model_voice` one of that engine's voices.
    """

    text: str
    voice_id: UUID
    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 1000
    repetition_penalty: float = 1.2
    speed: float | None = None
    format: str = "mp3_22050_64"
    pitch: float | None = None
    volume: float | None = None
    seed: int | None = None
    mode: Mode = "interactive"
    input_type: InputType = "text"
    language: str | None = None
    dictionaries: tuple[DictionaryVersion, ...] = ()
    use_cache: bool = True
    model_id: str | None = None
    model_voice: str | None = None

    @property
    def characters(self) -> int:
        """Unicode code points: the unit of metering and of alignment."""
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice as this service knows it from events. `settings`: speed, pitch, volume of requests that name none."""

    id: UUID
    org_id: UUID | None
    name: str
    language: str
    engine: str
    # Any: JSON that only the engine understands.
    engine_settings: dict[str, Any]
    settings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Generation:
    """A request for speech and what has become of it.

    `chunks_done` of `chunks_total` pieces are spoken; None for a text that is spoken as a whole. `characters_spoken`
    counts those that were spoken for it; the others were there already. `key_id` asked for it, which is the key of
    `user_id` or of the organisation's own; None in what was asked for before that was written down.
    """

    id: UUID
    org_id: UUID
    key_id: UUID | None
    user_id: UUID | None
    voice_id: UUID | None
    voice_name: str
    text: str
    characters: int
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    speed: float
    pitch: float
    volume: float
    seed: int | None
    format: str
    mode: Mode
    input_type: InputType
    language: str | None
    use_cache: bool
    # Any: id and version of each.
    dictionaries: list[dict[str, Any]]
    model_id: str
    model_voice: str | None
    applied: dict[str, Any]  # Any: the engine's own values
    status: Status
    error_code: str | None
    error: str | None
    duration_seconds: float | None
    characters_spoken: int | None
    rendition_id: UUID | None
    revised_from: UUID | None
    chunks_total: int | None
    chunks_done: int | None
    tries: int
    created_at: datetime
    updated_at: datetime

    @property
    def is_finished(self) -> bool:
        """Say whether nothing more will happen by itself."""
        return self.status in ("completed", "failed", "canceled")

    @property
    def ignored_parameters(self) -> list[str]:
        """Return the parameters that the engine took no notice of."""
        return [name for name in PARAMETERS if name not in self.applied and getattr(self, name) is not None]

    @property
    def characters_cached(self) -> int | None:
        """Return how many characters need not be spoken anew; None before that is known."""
        return None if self.characters_spoken is None else self.characters - self.characters_spoken

    def wanted_again(self) -> Request:
        """Return the request that this generation came from."""
        return Request(
            text=self.text,
            voice_id=self.voice_id or UUID(int=0),
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repetition_penalty=self.repetition_penalty,
            speed=self.speed,
            format=self.format,
            pitch=self.pitch,
            volume=self.volume,
            seed=self.seed,
            mode=self.mode,
            input_type=self.input_type,
            language=self.language,
            dictionaries=tuple(DictionaryVersion(UUID(one["id"]), one["version"]) for one in self.dictionaries),
            use_cache=self.use_cache,
            # What the voice's own engine spoke names no voice of the engine's.
            model_id=self.model_id if self.model_voice is not None else None,
            model_voice=self.model_voice,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """What is new in a generation once it is completed."""

    generation_id: UUID
    duration_seconds: float | None
    characters_spoken: int | None
    applied: dict[str, Any]  # Any: the engine's own values
    at: datetime

    def of(self, generation: Generation) -> Generation:
        """Return the generation as it is now."""
        return replace(
            generation,
            status="completed",
            duration_seconds=self.duration_seconds,
            characters_spoken=self.characters_spoken,
            applied=self.applied,
            updated_at=self.at,
        )


def may_be_on_its_way(voice_id: UUID, now: datetime, grace: timedelta = timedelta(seconds=60)) -> bool:
    """Say whether an unknown voice may be so new that its event has not arrived: a UUIDv7 tells its time."""
    if voice_id.version != 7:
        return False
    made = datetime.fromtimestamp((voice_id.int >> 80) / 1000, tz=UTC)
    return abs(now - made) <= grace


def wait_seconds(prefer: str | None) -> int:
    """Return for how long a client is willing to wait, by its `Prefer` header (RFC 7240), at most WAIT_MAX_SECONDS."""
    match = _PREFER_WAIT.search(prefer or "")
    return min(int(match[1]), WAIT_MAX_SECONDS) if match else 0


def audio_of(generation: Generation) -> UUID:
    """Return under which id storage knows the audio.

    Raises GenerationUnfinished, GenerationFailedError, AudioExpired.
    """
    if generation.status == "failed":
        raise GenerationFailedError(generation.error_code or "failed", generation.error or "")
    if generation.status == "canceled":
        raise GenerationFailedError("canceled", "The generation was canceled before its audio was made.")
    if generation.status != "completed":
        raise GenerationUnfinished
    if generation.rendition_id is None:
        raise AudioExpired
    return generation.rendition_id


def require_cancelable(status: Status) -> None:
    """Raise WrongState for what is finished."""
    if status not in ("pending", "processing"):
        raise WrongState(f"it is {status}; only what is pending or processing can be canceled")


def require_repeatable(status: Status) -> None:
    """Raise WrongState for what has not failed and was not canceled."""
    if status not in ("failed", "canceled"):
        raise WrongState(f"it is {status}; only what failed or was canceled can be tried again")
