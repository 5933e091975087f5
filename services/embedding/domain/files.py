"""What a file holds, judged by its bytes: neither by its name nor by what it is said to be. Pure."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.embedding.domain.reading import TextFormat, read_text

FILE_MAX_BYTES = 20 * 2**20
"""Of a file that is brought."""
PAGES_MOST = 5_000
"""Of a PDF."""
PAGE = "page"
"""Under this name a passage of a PDF tells, in its metadata, on which page it begins; pages count from 1."""
_HEADER_BYTES = 1_024
"""Within so many bytes a PDF says that it is one (PDF 1.7, appendix H, note 13)."""
_BETWEEN_PAGES = "\n\n"
_BEGINNING = 4_096
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_SUBTITLES = re.compile(r"\s*(?:WEBVTT\b|\d+\s*\n\s*\d{1,2}:\d{2}:\d{2}[.,]\d{1,3}\s*-->)")
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class FileKind(StrEnum):
    """What a file's bytes say that it is."""

    PDF = "pdf"
    TEXT = "text"


class FileRefused(Exception):
    """Nothing can be found in a file; the message says why and what to do, and has nothing of the file in it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a document, and where in it, in characters, each of its pages begins; () if it has none."""

    text: str
    pages: Sequence[int] = ()

    def page_at(self, place: int) -> int:
        """Return the page, from 1, of the character at `place`; 0 if there are no pages."""
        return bisect_right(self.pages, place)


def kind_of(content: bytes) -> FileKind:
    """Return what a file is."""
    return FileKind.PDF if b"%PDF-" in content[:_HEADER_BYTES] else FileKind.TEXT


def text_of(content: bytes, form: TextFormat | None) -> str:
    """Return what there is to be found in a file that is no PDF; by its beginning unless `form` says how it is meant.

    Raises FileRefused.
    """
    text = _decoded(content)
    return read_text(text, form or _form_of(text))


def join_pages(pages: Sequence[str]) -> Reading:
    """Return the text of pages, one behind the other."""
    starts: list[int] = []
    length = 0
    for page in pages:
        starts.append(length)
        length += len(page) + len(_BETWEEN_PAGES)
    return Reading(_BETWEEN_PAGES.join(pages), tuple(starts))


def _form_of(text: str) -> TextFormat:
    beginning = text[:_BEGINNING]
    if _HTML.match(beginning):
        return TextFormat.HTML
    return TextFormat.SUBTITLES if _SUBTITLES.match(beginning) else TextFormat.TEXT


def _decoded(content: bytes) -> str:
    mark, encoding = next((one for one in _BYTE_ORDER_MARKS if content.startswith(one[0])), (b"", "utf-8"))
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        raise FileRefused("is neither a PDF nor text in UTF-8 or UTF-16; save it as one of these") from None
    if "\0" in text:
        raise FileRefused("is neither a PDF nor text: it has NUL characters; save it as one of these")
    return text
