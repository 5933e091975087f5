"""What the engine is given to read in place of the text as sent, and the way back to the positions in it.

eSpeak NG takes some characters for commands (U+0001 starts one) and overruns a buffer, and so dies, on very long tokens
such as a few hundred dotted letters ("A.B.C."). Neither may be left to a client's text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NamedTuple
from unicodedata import category

LONGEST_TOKEN = 100
"""Code points of a token after which a space is slipped in; eSpeak NG 1.52 dies from about 200 on."""

_LONG_TOKEN = re.compile(rf"\S{{{LONGEST_TOKEN + 1},}}")
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff]")
_ENDS_CLAUSE = frozenset("\u3001\u3002\uff0c\uff0e\uff01\uff1f\uff1b\uff1a\u2026")  # in scripts without spaces


class SpokenText(NamedTuple):
    """`text` is what the engine reads; `inserted` are the positions in it of spaces that the sender did not write."""

    text: str
    inserted: list[int]

    def origin(self, position: int) -> int:
        """The position in the text as sent of what stands at `position` of the text as read."""
        return position - bisect_left(self.inserted, position)


def prepare(text: str) -> SpokenText:
    """The text made safe to read: commands and unassigned characters become spaces, endless tokens are broken up."""
    readable = _UNREADABLE.sub(" ", text)
    if _LONG_TOKEN.search(readable) is None:
        return SpokenText(readable, [])
    return _broken_up(readable)


def _broken_up(text: str) -> SpokenText:
    pieces: list[str] = []
    inserted: list[int] = []
    run = 0
    for index, character in enumerate(text):
        if character.isspace():
            run = 0
        elif run >= LONGEST_TOKEN and category(character)[0] != "M":
            inserted.append(index + len(inserted))
            pieces.append(" ")
            run = 0
        if not character.isspace():
            run = 0 if character in _ENDS_CLAUSE else run + 1
        pieces.append(character)
    return SpokenText("".join(pieces), inserted)
