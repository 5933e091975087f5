"""File names that every system can unpack, each only once. Pure."""

from __future__ import annotations

import re
from unicodedata import category, normalize

_LONGEST = 200
"""Bytes of UTF-8: file systems take 255, and a number may have to be added."""

_LONGEST_SUFFIX = 20
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_JOINERS = "\u200c\u200d"  # invisible, but words and emoji fall apart without them


class Names:
    """The names of one archive; two that differ only in case are the same to some systems."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next_number: dict[str, int] = {}

    def take(self, wished: str) -> str:
        """Return `wished` as a safe file name without folders, with a number before its suffix if it is taken."""
        name = safe_name(wished)
        stem, suffix = _split(name)
        key = _key(name)
        number = self._next_number.get(key, 2)
        while _key(name) in self._taken:
            name = f"{stem} ({number}){suffix}"
            number += 1
        self._next_number[key] = number
        self._taken.add(_key(name))
        return name


def safe_name(wished: str) -> str:
    """Return `wished` without what leads to another folder, is invisible, or is no file name on some system."""
    visible = "".join(character for character in normalize("NFC", wished) if _is_visible(character))
    name = _FORBIDDEN.sub("_", visible).strip().strip(".").strip()
    if not name:
        return "file"
    if _DEVICE.match(name):
        name = f"_{name}"
    stem, suffix = _split(name)
    room = _LONGEST - len(suffix.encode())
    return (stem.encode()[:room].decode(errors="ignore") + suffix).rstrip(" .")


def _is_visible(character: str) -> bool:
    return character in _JOINERS or category(character) not in _INVISIBLE


def _split(name: str) -> tuple[str, str]:
    """Return the stem and the suffix with its dot; a suffix too long to be one belongs to the stem."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix) if stem and len(suffix.encode()) < _LONGEST_SUFFIX else (name, "")


def _key(name: str) -> str:
    return normalize("NFC", name.casefold())
