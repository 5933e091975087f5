"""What a file is, by its content."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MediaKind(StrEnum):
    """What somebody gets from a file."""

    AUDIO = "audio"
    IMAGE = "image"
    VIDEO = "video"
    DOCUMENT = "document"


class ContentRefused(Exception):
    """The file is not what was announced, or too damaged to be used; the message says what was found, to clients."""


class ProbingUnavailable(Exception):
    """Nothing can look into files at the moment; nothing is said about the file."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a file. `pages` are those of a PDF."""

    content_type: str
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    pages: int | None = None
