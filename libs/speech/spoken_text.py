"""What the engine is given to read in place of the text as sent: as many characters, but none that harm it.

eSpeak NG takes some characters for commands (U+0001 starts one). Code points that stand for nothing, which it spells
out number by number, and a hundred dotted letters in a row ("a.b.c.") overrun its buffers and kill it. None of this may
be left to a client's text. Positions stay those of the text as sent.
"""

from __future__ import annotations

import re
from unicodedata import category

_DOTTED_RUN = re.compile(r"(?:[^.]{0,3}\.){40,}|(?:[^.\s]{0,8}\.){40,}")
"""Dots so many and so close that they end no sentences; eSpeak NG 1.52 died of 80 and more in tests."""

_QUOTED_HYPHEN = re.compile(r"(?<!\w)['‘’`](?=-)")
"""An apostrophe and a hyphen before a word ("'-a"): the Danish and the Vietnamese voice died of them."""

_NOT_TEXT = frozenset(("Cc", "Cn", "Co"))  # control, unassigned, private use
_LAYOUT = "\t\n\r\x85"


def readable(text: str) -> str:
    """The text with a space in place of every character that is no text, and of the dots in endless runs of them."""
    blanks = {ord(character): " " for character in set(text) if _harms(character)}
    return _QUOTED_HYPHEN.sub(" ", _DOTTED_RUN.sub(lambda run: run[0].replace(".", " "), text.translate(blanks)))


def spellable(text: str) -> str:
    """The text with a space in place of every pictograph: spelling one kills the voices that have no name for it."""
    return "".join(" " if category(character) == "So" else character for character in text)


def _harms(character: str) -> bool:
    return category(character) in _NOT_TEXT and character not in _LAYOUT
