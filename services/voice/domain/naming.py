"""What clients may write: texts that can be stored, and language tags."""

from __future__ import annotations

import re
import unicodedata


def plain_text(text: str) -> str:
    """Return `text` without outer space and in Unicode's composed form; ValueError for what cannot be stored."""
    if "\0" in text:
        raise ValueError(f"has a NUL character at position {text.index(chr(0))}; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"is not valid Unicode at position {error.start}") from None
    return unicodedata.normalize("NFC", text.strip())


_LANGUAGE_TAG = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*", re.ASCII | re.IGNORECASE)
_TAG_MAX_LENGTH = 35  # what RFC 5646, section 4.4.1, asks everybody to take


def language_tag(tag: str) -> str:
    """Return a BCP 47 tag in its usual case ("en-us" → "en-US"); ValueError if it is none."""
    if len(tag) > _TAG_MAX_LENGTH or not _LANGUAGE_TAG.fullmatch(tag):
        raise ValueError("is not a BCP 47 language tag such as en-US, ru-RU or hi-IN")
    language, *rest = tag.lower().split("-")
    return "-".join([language, *map(_subtag, rest)])


def _subtag(subtag: str) -> str:
    """Regions are written in capitals, scripts with one (RFC 5646, section 2.1.1)."""
    if len(subtag) == 2:
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag
