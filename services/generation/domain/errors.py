"""What can be wrong with what a client asks for, or with the moment in which it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


class GenerationNotFound(Exception):
    """There is no such generation in the caller's organisation."""


class DictionaryNotFound(Exception):
    """There is no such pronunciation dictionary, or no such version of it, in the caller's organisation."""


class DictionaryNameTaken(Exception):
    """The organisation has a pronunciation dictionary of that name."""


class DictionaryChanged(Exception):
    """The pronunciation dictionary has a newer version than the one that was to be followed."""

    def __init__(self, version: int) -> None:
        super().__init__(str(version))
        self.version = version


class UnknownVoice(Exception):
    """There is no such voice for the caller's organisation."""


class GenerationUnfinished(Exception):
    """The audio is still being made."""


class AudioExpired(Exception):
    """The audio was kept for as long as the organisation's plan says."""


class GenerationFailedError(Exception):
    """There will be no audio."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class WrongState(Exception):
    """The generation is not in a state in which that can be done; the message says which it is in and what can."""


class LanguageUnknown(Exception):
    """The text's language was to be detected, and could not be."""


class UnknownModel(Exception):
    """No speech worker ever had such an engine, or the engine has no such voice; the message says which."""


class LanguageNotSpoken(Exception):
    """The voice's engine does not speak the language; the message names it."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at one place of a text; `position` counts code points from 0, lines and columns from 1."""

    position: int
    line: int
    column: int
    message: str


class InvalidMarkup(Exception):
    """The text is not the SSML that it says it is."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__(flaws[0].message if flaws else "")
        self.flaws = flaws


class InvalidText(Exception):
    """The text cannot be taken; the message says why and what to do."""


class FormatImpossible(Exception):
    """The audio does not fit the format that was asked for; the message says what to ask for."""


class Overloaded(Exception):
    """More is waiting than can be spoken in a time that a client would wait."""

    def __init__(self, *, waiting_seconds: float, retry_after_seconds: int) -> None:
        super().__init__(waiting_seconds)
        self.waiting_seconds = waiting_seconds
        self.retry_after_seconds = retry_after_seconds


class QuotaExceeded(Exception):
    """The organisation's plan does not cover the text. `resets_at` is None for what does not count anew."""

    def __init__(
        self, *, asked: int, limit: int, remaining: int, resets_at: datetime | None, quota: str = "characters"
    ) -> None:
        super().__init__(f"{asked} of {remaining}")
        self.asked = asked
        self.limit = limit
        self.remaining = remaining
        self.resets_at = resets_at
        self.quota = quota

    @property
    def explanation(self) -> str:
        """Return what a client is told: what was asked, what is left, and until when."""
        until = f" until {self.resets_at.isoformat()}" if self.resets_at else ""
        if self.quota == "characters":
            return (
                f"The text has {self.asked} characters; {self.remaining} of {self.limit} are left{until}. "
                "Send a shorter text, or change the plan."
            )
        what = self.quota.replace("_", " ")
        advice = "Wait, or change the plan." if self.resets_at else "Delete what is not needed, or change the plan."
        return f"{what}: {self.remaining} of {self.limit} are left{until}. {advice}"
