"""Audio that a worker announced, and whether what lies in the object store is that audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from services.storage.domain.delivery import Representation
from services.storage.domain.keys import ForeignObject, require_own

ROUNDING_SECONDS = 0.001
"""Times of long texts are written with four decimals."""


class TrackNotFound(Exception):
    """The caller's organisation has no such track."""


class AudioNotFound(Exception):
    """The caller's organisation has no audio of that generation."""


class AudioOnItsWay(Exception):
    """The audio was made, and storage has not heard of it yet."""


class AudioLost(Exception):
    """The audio was kept, and is not in the object store any more as it was."""


class AudioRefused(Exception):
    """What was announced can never be kept; the message says why, to the client too."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A text with a start and an end time in seconds for each of its characters."""

    text: str
    start_times: Sequence[float]
    end_times: Sequence[float]


@dataclass(frozen=True, slots=True)
class RenderedAudio:
    """What a worker says that it has uploaded: one character of the text has one start and one end time, in seconds.

    `normalized` is what was read in place of the text, where that differs. Of a long text all of this lies in the
    object `alignment_key`. Nobody waits to be told of what `is_completed`.
    """

    generation_id: UUID
    org_id: UUID
    object_key: str
    text: str
    duration_seconds: float
    format: str
    content_type: str
    size_bytes: int
    sha256: str
    sample_rate: int
    start_times: Sequence[float]
    end_times: Sequence[float]
    model_id: str
    language: str = "en-US"
    input_type: str = "text"
    alignment_key: str | None = None
    normalized: Timeline | None = None
    md5: str = ""
    is_completed: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """Audio that is kept."""

    generation_id: UUID
    object_key: str
    format: str
    content_type: str
    size_bytes: int
    sha256: str
    created_at: datetime

    @property
    def representation(self) -> Representation:
        """The audio as HTTP sees it: its SHA-256 names it, for audio never changes."""
        return Representation(self.size_bytes, f'"{self.sha256}"', self.created_at.replace(microsecond=0))

    @property
    def filename(self) -> str:
        """The name under which a client saves it."""
        return f"generation-{self.generation_id}.{self.format}"


@dataclass(frozen=True, slots=True)
class Alignment:
    """When a text as it was sent is heard, and what was read in its place, if that differs."""

    sent: Timeline
    normalized: Timeline | None
    language: str
    is_markup: bool

    def timeline(self, *, normalized: bool) -> Timeline:
        """Return the one that is asked for; a text that was read as it is has but one."""
        return self.normalized if normalized and self.normalized is not None else self.sent

    def spoken(self) -> Timeline:
        """Return what people read: the text as it was sent, but without markup."""
        return self.timeline(normalized=self.is_markup)


def require_alignment(timeline: Timeline, duration_seconds: float) -> None:
    """Raise AudioRefused unless the times of a long text are what the database wants of those of a short one."""
    starts, ends = timeline.start_times, timeline.end_times
    if not len(starts) == len(ends) == len(timeline.text):
        raise AudioRefused("the alignment has not one start and one end time for each character of the text")
    if any(end < start for start, end in zip(starts, ends, strict=True)):
        raise AudioRefused("the alignment has a character that ends before it starts")
    if starts and (starts[0] < 0 or any(later < earlier for earlier, later in pairwise(starts))):
        raise AudioRefused("the alignment's start times are not in order from zero")
    if ends and max(ends) > duration_seconds + ROUNDING_SECONDS:
        raise AudioRefused("the alignment has a character that ends after the audio")


def require_keepable(announced: RenderedAudio) -> None:
    """Raise AudioRefused for what is wrong whatever lies in the object store; times are the database's to check."""
    if "\0" in announced.text:
        raise AudioRefused("the text has a NUL character")
    try:
        keys = [announced.object_key, *([announced.alignment_key] if announced.alignment_key else [])]
        require_own("generations", announced.org_id, keys)
    except ForeignObject as error:
        raise AudioRefused("the object is not one of the organisation's generations") from error


def verify_upload(announced: RenderedAudio, sha256: str, size_bytes: int) -> None:
    """Raise AudioRefused unless the object that was read back is the one that was announced."""
    if size_bytes != announced.size_bytes:
        raise AudioRefused(f"the audio has {size_bytes} bytes in the object store and not {announced.size_bytes}")
    if sha256 != announced.sha256:
        raise AudioRefused("the audio's SHA-256 in the object store is not the one that was announced")
