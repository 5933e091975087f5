"""Why something that a client wants of a voice is not done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


class VoiceNotFound(Exception):
    """The caller's organisation knows no such voice."""


class SampleNotFound(Exception):
    """The voice has no such recording."""


class AudioNotFound(Exception):
    """The voice has nothing to listen to yet."""


class SystemVoiceKept(Exception):
    """System voices belong to everybody and cannot be changed or deleted."""


class QuotaExceeded(Exception):
    """The organisation's plan does not cover another voice. `resets_at` is None for what does not count anew."""

    def __init__(self, *, quota: str, limit: int, remaining: int, resets_at: datetime | None) -> None:
        super().__init__(quota)
        self.quota = quota
        self.limit = limit
        self.remaining = remaining
        self.resets_at = resets_at


class VoiceNameTaken(Exception):
    """The organisation has a voice of that name."""


class LanguageNotSpoken(Exception):
    """The engine has no voice for the language; the message names it."""


class RecordingTooLarge(Exception):
    """The files have more than RECORDING_MAX_BYTES together."""


class SameRecordingTwice(Exception):
    """Two of the files are one; `first` and `second` count from 1."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first, second)
        self.first, self.second = first, second


class LastSample(Exception):
    """A custom voice keeps at least one recording."""


class SampleNeeded(Exception):
    """Without the recording the voice would not be good enough; `reasons` tell what was measured of the others."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(*reasons)
        self.reasons = tuple(reasons)
