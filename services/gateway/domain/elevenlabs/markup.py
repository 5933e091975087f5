"""The pauses that ElevenLabs' clients write into plain text, as SSML, and which character became which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

_BREAK = re.compile(r'<break\s{1,20}time\s?=\s?"(?P<time>[0-9]{1,5}(?:\.[0-9]{1,6})?(?:ms|s))"\s{0,20}/?>')
_OPEN, _CLOSE = "<speak>", "</speak>"


@dataclass(frozen=True, slots=True)
class Script:
    """What is to be spoken for a text.

    `spans` has for each character of the text where it stands in `text`: the first position and the one behind it.
    """

    text: str
    input_type: Literal["text", "ssml"]
    spans: Sequence[tuple[int, int]]


def script_of(text: str) -> Script:
    """Return how `text` is spoken: as it is, or as SSML when it has `<break time="1.5s" />` in it."""
    if not _BREAK.search(text):
        return Script(text, "text", [(at, at + 1) for at in range(len(text))])
    written = _OPEN
    spans: list[tuple[int, int]] = []
    at = 0
    for found in _BREAK.finditer(text):
        written = _append(written, text[at : found.start()], spans)
        tag = f'<break time="{found["time"]}"/>'
        # A tag is heard as a whole: all its characters at once.
        spans += [(len(written), len(written) + len(tag))] * len(found[0])
        written += tag
        at = found.end()
    written = _append(written, text[at:], spans)
    return Script(written + _CLOSE, "ssml", spans)


def _append(written: str, plain: str, spans: list[tuple[int, int]]) -> str:
    position = len(written)
    pieces = []
    for character in plain:
        piece = escape(character)
        spans.append((position, position + len(piece)))
        position += len(piece)
        pieces.append(piece)
    return written + "".join(pieces)
