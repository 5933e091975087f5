"""What every subtitle format needs of a text and of a time before it is written. Pure."""

from __future__ import annotations

import re

_BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")

WORD_JOINER = "\u2060"
"""Shows as nothing and takes no room; put between characters that would otherwise be read as a command."""


def one_line(text: str) -> str:
    """Return `text` with a space for what would end the line or the file: controls, separators, half characters."""
    return _BREAKING.sub(" ", text)


def milliseconds(seconds: float) -> int:
    """Return `seconds` from the start of the audio to the nearest millisecond; each time is rounded by itself."""
    return round(seconds * 1_000)


def clock(millis: int, separator: str) -> str:
    """Return a time as HH:MM:SS and three digits after `separator`; hours take as many digits as they need."""
    seconds, millis = divmod(millis, 1_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{millis:03}"
