"""What the parent and the decoding process say to each other: a JSON header and a body, their sizes before them."""

from __future__ import annotations

import json
import struct
from typing import Any, Literal, TypedDict

PREFIX = struct.Struct("<II")
"""Bytes of the header, bytes of the body."""

SAMPLE_RATE = 24_000
"""Of the decoded PCM, in Hz. The engines speak at 16 to 24 kHz, and what is learnt of a voice's spectrum has to reach
as far as theirs; the speech detector gets its own 16 kHz."""

EXIT_MEMORY = 3
"""Exit status: the file needed more memory than it may have."""


class Request(TypedDict):
    """Decode the body. What it may take: seconds of audio, of the clock and of CPU, and bytes beyond the code's own."""

    audio_seconds: float
    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int


class Ready(TypedDict):
    """The process has loaded what it needs."""

    kind: Literal["ready"]


class Decoded(TypedDict):
    """The body is PCM: mono, 16 bits signed, little-endian, `SAMPLE_RATE`. `report` are the fields of QualityReport."""

    kind: Literal["decoded"]
    report: dict[str, Any]  # Any: JSON


class Refused(TypedDict):
    """The file is no audio that is taken; `message` says why, in words for the person who sent it."""

    kind: Literal["refused"]
    message: str


Reply = Ready | Decoded | Refused


def pack(header: Request | Reply, body_bytes: int) -> bytes:
    """Everything before the body."""
    encoded = json.dumps(header, allow_nan=False).encode()
    return PREFIX.pack(len(encoded), body_bytes) + encoded
