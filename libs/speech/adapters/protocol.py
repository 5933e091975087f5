"""What every engine that delivers PCM offers: the job, the speech, the errors that it adds to `libs.speech.engine`.

Such an engine neither encodes nor aligns characters: who composes it does both. It reports word times where its model
gives them, and the parameters that it honoured, as used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from libs.speech.engine import SPEED_RANGE, PermanentSpeechError, TransientSpeechError


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """A text to speak with `voice`, the engine's own name for it ("" is the engine's first), in a BCP-47 `language`.

    `language` "" is the voice's own. `speed` is a factor, 0.25-4.0; ValueError outside. `parameters` may hold
    `temperature`, `top_p`, `top_k`, `repetition_penalty` and an engine's own; those that it does not honour have no
    effect. With a `seed` an engine that honours it gives the same audio again. `reference` is a recording of the
    speaker, for engines that clone.
    """

    text: str = field(repr=False)
    voice: str = ""
    language: str = ""
    speed: float = 1.0
    parameters: Mapping[str, float | int] = field(default_factory=dict)
    seed: int | None = None
    reference: Path | None = None

    def __post_init__(self) -> None:
        low, high = SPEED_RANGE
        if not low <= self.speed <= high:
            raise ValueError(f"speed is {self.speed}; it must lie between {low} and {high}")


class WordTime(NamedTuple):
    """The word at code points `position` (from 0) to `position + length` begins at `start_seconds` of the audio."""

    position: int
    length: int
    start_seconds: float


@dataclass(frozen=True, slots=True)
class Speech:
    """Signed 16-bit little-endian mono `pcm` at `sample_rate` Hz.

    `words` has times that never decrease, for most words but not always all; None where the engine gives no timings.
    `applied` has the honoured parameters that the job set, as the engine used them.
    """

    pcm: bytes = field(repr=False)
    sample_rate: int
    words: tuple[WordTime, ...] | None
    applied: Mapping[str, object]


class EngineVoice(NamedTuple):
    """A voice under the engine's own name; `language` is its BCP-47 tag, None if it speaks all that the engine does."""

    name: str
    language: str | None


class PcmEngine(Protocol):
    """Speaks texts as PCM. One instance serves any number of concurrent callers of one event loop."""

    @property
    def name(self) -> str:
        """The engine's stable identifier, such as "piper"."""

    @property
    def version(self) -> str:
        """The version of the software that speaks; empty before `start` and where a server does not tell."""

    @property
    def model(self) -> str:
        """Which weights speak: the same text sounds different with others."""

    @property
    def honours(self) -> frozenset[str]:
        """What changes the speech of this engine: `speed`, `seed`, `reference` and names of `parameters`."""

    @property
    def languages(self) -> frozenset[str] | None:
        """BCP-47 tags of what it speaks; None if that is not known here. Complete after `start`."""

    @property
    def longest_text(self) -> int:
        """Code points that one job may have."""

    @property
    def ready(self) -> bool:
        """Whether a job would be taken up now."""

    @property
    def problem(self) -> str:
        """Why the engine is not ready, for its operator; empty if it is or was not started."""

    def voices(self) -> tuple[EngineVoice, ...]:
        """The engine's own voices; complete after `start`."""

    async def start(self) -> None:
        """Make the engine ready. Raises EngineUnavailable, and may be called again then."""

    async def speak(self, job: SpeechJob) -> Speech:
        """Speak one text. Cancelling the call stops the work. Raises a PermanentSpeechError or TransientSpeechError."""

    async def close(self) -> None:
        """Stop at once and free everything; jobs still running or waiting fail with EngineUnavailable."""


class UnsupportedLanguage(PermanentSpeechError):
    """The engine, or this voice of it, does not speak the language."""


class UnusableReference(PermanentSpeechError):
    """The recording of the speaker is missing, or the engine cannot use it."""


class EngineRefused(PermanentSpeechError):
    """A server does not do this job, with the reason that it gave, or it gave something else than speech."""


class EngineBusy(TransientSpeechError):
    """A server is overloaded or failed. `retry_after_seconds` is what it asks to wait; None if it did not say."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
