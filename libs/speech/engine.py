"""What every speech engine offers: the job, the rendered audio with its timing, and the errors.

Nothing here knows an engine. Callers build a `RenderJob`, await `SpeechEngine.render` and read a `Rendered`.
An error tells by its base class whether trying again can help: never for a `PermanentSpeechError`, perhaps for a
`TransientSpeechError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self

SPEED_RANGE = (0.25, 4.0)
"""The factors of speed that a job may ask for; OpenAI's `/v1/audio/speech` has the same bounds."""


class AudioFormat(StrEnum):
    """What the audio is encoded as; the value is also the file extension."""

    MP3 = "mp3"
    WAV = "wav"

    @property
    def content_type(self) -> str:
        """The MIME type that the audio is served with."""
        return _CONTENT_TYPES[self]


_CONTENT_TYPES = {AudioFormat.MP3: "audio/mpeg", AudioFormat.WAV: "audio/wav"}

_PROFILE_RANGES = {
    "rate": (80, 450),
    "pitch": (0, 99),
    "pitch_range": (0, 99),
    "volume": (0, 200),
    "word_gap": (0, 500),
}


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """How an engine has to speak to sound like one voice.

    `engine_voice` is the engine's own name for its voice, `language` the BCP-47 tag that it is offered under, `variant`
    the engine's name for a timbre. `rate` is in words a minute (80-450), `pitch` and `pitch_range` on a scale of 0-99
    with 50 as the engine's usual, `volume` in percent of the usual (0-200), `word_gap` the extra pause between words in
    units of 10 ms at the usual rate. None means the engine's own default. Raises ValueError outside these ranges.
    """

    engine_voice: str
    language: str
    rate: int | None = None
    pitch: int | None = None
    pitch_range: int | None = None
    variant: str | None = None
    volume: int | None = None
    word_gap: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _PROFILE_RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} is {value}; it must lie between {low} and {high}")

    def to_settings(self) -> dict[str, str | int]:
        """The profile as JSON-ready fields, without those left to the engine's default."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:  # JSON: checked field by field here
        """The profile that `to_settings` wrote. Raises TypeError for unknown or missing fields, ValueError as above."""
        return cls(**settings)


@dataclass(frozen=True, slots=True)
class RenderJob:
    """A text to speak. `speed` is a factor on the voice's own rate, 0.25-4.0; ValueError outside."""

    text: str
    voice: VoiceProfile
    format: AudioFormat = AudioFormat.MP3
    speed: float = 1.0

    def __post_init__(self) -> None:
        low, high = SPEED_RANGE
        if not low <= self.speed <= high:
            raise ValueError(f"speed is {self.speed}; it must lie between {low} and {high}")


@dataclass(frozen=True, slots=True)
class Alignment:
    """When each character is spoken: three tuples of one length, one entry per Unicode code point of the text as sent.

    Times are seconds from the start of the audio. Starts and ends never decrease, no end lies before its start, and the
    last end lies within the audio. Characters that make no sound share the pause they stand in.
    """

    characters: tuple[str, ...]
    start_times: tuple[float, ...]
    end_times: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one job went, in seconds: waiting for an engine, speaking, what encoding took beyond that."""

    queue_seconds: float
    synthesis_seconds: float
    encoding_seconds: float


@dataclass(frozen=True, slots=True)
class Rendered:
    """Encoded audio and its timing.

    `duration_seconds` is what a decoder plays (mp3: after the delay and padding that its header declares).
    `sample_rate` is in Hz. `applied` has the honoured parameters as the engine used them, and its words a minute.
    """

    audio: bytes = field(repr=False)
    content_type: str
    format: AudioFormat
    sample_rate: int
    duration_seconds: float
    alignment: Alignment = field(repr=False)
    timings: Timings
    applied: Mapping[str, float]


class SpeechEngine(Protocol):
    """Speaks texts. One instance serves any number of concurrent callers of one event loop."""

    @property
    def name(self) -> str:
        """The engine's stable identifier, such as "espeak-ng"."""

    @property
    def version(self) -> str:
        """The version of the engine that speaks; the same text may sound different under another one."""

    @property
    def honours(self) -> frozenset[str]:
        """The names of the request parameters that change what this engine speaks; it ignores all others."""

    async def start(self) -> None:
        """Make the engine ready to render. Raises EngineUnavailable."""

    async def render(self, job: RenderJob) -> Rendered:
        """Speak one text. Cancelling the call stops the work. Raises a PermanentSpeechError or TransientSpeechError."""

    async def close(self) -> None:
        """Stop at once and free everything; jobs still running or waiting fail with EngineUnavailable."""


class SpeechError(Exception):
    """A job was not rendered. Only its two subclasses are raised."""


class PermanentSpeechError(SpeechError):
    """The same job would fail again: the request has to change."""


class TransientSpeechError(SpeechError):
    """The same job may succeed when tried again, here or on another worker."""


class TextNotSpeakable(PermanentSpeechError):
    """The text is not one that an engine can be given; the message says why."""


class UnknownEngineVoice(PermanentSpeechError):
    """The engine has no such voice or variant."""


class EngineCrashed(TransientSpeechError):
    """The engine died while it rendered this job."""


class EngineTimeout(TransientSpeechError):
    """The engine took longer than it may and was stopped."""


class EngineUnavailable(TransientSpeechError):
    """The engine is closed, was never started, or does not start."""
