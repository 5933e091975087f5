"""When a text is heard in a recording that somebody else made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

TEXT_MAX_LENGTH = 5000
AUDIO_MAX_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Recording:
    """Mono PCM of 16 bits and the text that it speaks; a `language` that is None is found out from the text."""

    pcm: bytes = field(repr=False)
    sample_rate: int
    text: str = field(repr=False)
    language: str | None


@dataclass(frozen=True, slots=True)
class Aligned:
    """Starts and ends in seconds of each character, never decreasing.

    `agreement` is 1 where the recording has the sounds of the text, and 0 where it has none of them.
    """

    starts: Sequence[float]
    ends: Sequence[float]
    agreement: float
    language: str


class AligningFailed(Exception):
    """The recording could not be aligned; the message says why, for the client."""


class RecordingNotAligned(Exception):
    """The recording is none that can be aligned; the message says why, for the client."""
