"""The wire between a speech worker and its engine processes: length-prefixed frames over a pipe.

A frame is two big-endian 32-bit lengths, a JSON object (the header) and raw bytes (the body). A request's body is the
text in UTF-8. A reply's body is the start times, then the end times, as native doubles, then the audio. Both sides are
always of one release and one machine, so the format carries no version and no byte order.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Literal, TypedDict, TypeGuard

PREFIX = struct.Struct(">II")
"""Bytes of the header, bytes of the body."""

TIME_BYTES = 8
"""Bytes of one time in a reply's body."""


class Request(TypedDict):
    """What to speak. Numbers as in `engine.VoiceProfile` and `engine.RenderJob`; None is the engine's default.

    `pitch` and `volume` are the voice's and the job's together. `form` is the name of an output format, `transform`
    what `libs.speech.timbre` applies.
    """

    voice: str
    variant: str | None
    language: str
    rate: int | None
    pitch: int | None
    pitch_range: int | None
    volume: int | None
    word_gap: int | None
    form: str
    speed: float
    seed: int | None
    is_markup: bool
    has_phonemes: bool
    goes_on: bool
    transform: dict[str, object] | None


class Fitting(TypedDict):
    """Speech that another engine made, to be timed and encoded: the body is the text, then PCM (s16le, mono).

    `words` are (position, length, seconds) of the words whose times are known; without any they are found by comparing
    the speech with this engine's own of the same text in `language`.
    """

    text_bytes: int
    sample_rate: int
    words: list[tuple[int, int, float]] | None
    voice: str
    language: str
    form: str


class Ready(TypedDict):
    """The first frame that a process sends, once."""

    kind: Literal["ready"]
    version: str


class Spoken(TypedDict):
    """The job is done. `characters` is the number of start times, and of end times, before the segment in the body.

    `samples` is what the segment takes up at the sample rate of its form.
    """

    kind: Literal["spoken"]
    characters: int
    samples: int
    synthesis_seconds: float
    encoding_seconds: float
    applied: dict[str, float]


class Refused(TypedDict):
    """The job cannot be done, now or later; the process is fine. `reason` names the error class."""

    kind: Literal["refused"]
    reason: Literal["text", "voice"]
    message: str


Reply = Ready | Spoken | Refused


def is_fitting(request: Request | Fitting) -> TypeGuard[Fitting]:
    """Say whether speech comes along, and is not to be made."""
    return "text_bytes" in request


def pack_prefix(header: Mapping[str, object], body_bytes: int) -> bytes:
    """Everything of a frame up to its body."""
    encoded = json.dumps(header, separators=(",", ":")).encode()
    return PREFIX.pack(len(encoded), body_bytes) + encoded
