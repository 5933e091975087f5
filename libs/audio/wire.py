"""What the decoding process answers."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

SAMPLE_RATE = 24_000
"""Of the decoded PCM, in Hz. The engines speak at 16 to 24 kHz, and what is learnt of a voice's spectrum has to reach
as far as theirs; the speech detector gets its own 16 kHz."""


class Decoded(TypedDict):
    """The body is PCM: mono, 16 bits signed, little-endian, `SAMPLE_RATE`. `report` are the fields of QualityReport."""

    kind: Literal["decoded"]
    report: dict[str, Any]  # Any: JSON


class Refused(TypedDict):
    """The file is no audio that is taken; `message` says why, in words for the person who sent it."""

    kind: Literal["refused"]
    message: str


Reply = Decoded | Refused
