"""How the generation service's errors are answered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from libs.messaging import Unavailable
from libs.objectstore import ObjectStoreUnavailable
from libs.web import Problem, ProblemOf, invalid_field
from libs.web.problems import UNAVAILABLE
from services.generation.domain import errors

RETRY_AFTER_SECONDS = 1


def quota_exceeded(error: errors.QuotaExceeded) -> Problem:
    return Problem(
        402,
        "quota_exceeded",
        _USED_UP.get(error.quota, "What the plan covers is used up"),
        error.explanation,
        {
            "quota": error.quota,
            "limit": error.limit,
            "remaining": error.remaining,
            "asked": error.asked,
            "resets_at": error.resets_at.isoformat() if error.resets_at else None,
        },
        {"Retry-After": str(_seconds_until(error.resets_at))} if error.resets_at else {},
    )


_USED_UP = {
    "characters": "The plan's characters for this period are used up",
    "requests": "The plan's requests for this period are used up",
    "audio_seconds": "The plan's seconds of audio for this period are used up",
    "stored_bytes": "The plan's storage is used up",
}


def _seconds_until(moment: datetime) -> int:
    return max(1, math.ceil((moment - datetime.now(UTC)).total_seconds()))


def failed(error: errors.GenerationFailedError) -> Problem:
    return Problem(409, "generation_failed", "There is no audio", error.reason, {"reason_code": error.code})


def wrong_state(error: errors.WrongState) -> Problem:
    return Problem(409, "wrong_state", "The generation is in another state", f"status: {error}.")


def overloaded(error: errors.Overloaded) -> Problem:
    return Problem(
        429,
        "overloaded",
        "More is waiting than can be spoken in time",
        f"What your organisation has waiting takes about {error.waiting_seconds:.0f} s to speak. Ask again after "
        f'{error.retry_after_seconds} s, or send the text with "mode": "job".',
        {"waiting_seconds": round(error.waiting_seconds, 1)},
        {"Retry-After": str(error.retry_after_seconds)},
    )


def invalid_markup(error: errors.InvalidMarkup) -> Problem:
    entries = [
        {"field": "text", "message": flaw.message, "position": flaw.position, "line": flaw.line, "column": flaw.column}
        for flaw in error.flaws
    ]
    return Problem(
        422,
        "invalid_ssml",
        "The text is not SSML that can be spoken",
        "; ".join(f"text: line {flaw.line}, column {flaw.column}: {flaw.message}" for flaw in error.flaws[:3]),
        {"errors": entries},
    )


EXPIRED = Problem(
    410,
    "audio_expired",
    "The audio was kept for as long as the plan says",
    "Ask for the same text again to have it spoken anew.",
)
UNFINISHED = Problem(
    409,
    "generation_unfinished",
    "The audio is still being made",
    f"Ask again after {RETRY_AFTER_SECONDS} s, or post with the header `Prefer: wait=30`.",
    headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
)
NOT_FOUND = Problem(404, "generation_not_found", "There is no such generation")
NO_DICTIONARY = Problem(404, "dictionary_not_found", "There is no such pronunciation dictionary, or no such version")
UNKNOWN_VOICE = invalid_field(
    "voice_id", "there is no such voice; GET /v1/voices lists those that there are", code="unknown_voice"
)
NAME_TAKEN = Problem(
    409,
    "dictionary_name_taken",
    "The name is taken",
    "name: your organisation has a dictionary of that name; choose another, or add a version to that one",
)


def dictionary_changed(error: errors.DictionaryChanged) -> Problem:
    """Return the 409."""
    return Problem(
        409,
        "dictionary_changed",
        "The dictionary was changed meanwhile",
        f"after_version: its newest version is {error.version}; read its rules, change those, and send them again",
        {"version": error.version},
    )


PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    errors.GenerationNotFound: lambda _error: NOT_FOUND,
    errors.DictionaryNotFound: lambda _error: NO_DICTIONARY,
    errors.DictionaryChanged: dictionary_changed,
    errors.DictionaryNameTaken: lambda _error: NAME_TAKEN,
    errors.UnknownVoice: lambda _error: UNKNOWN_VOICE,
    errors.UnknownModel: lambda error: invalid_field("model_id", f"{error}; GET /v1/models lists what there is"),
    errors.LanguageUnknown: lambda _error: invalid_field(
        "language", 'the language of the text cannot be told; name it, as in "language": "en-US"'
    ),
    errors.LanguageNotSpoken: lambda error: invalid_field(
        "language", f"the voice's engine does not speak {error}; GET /v1/models lists what it speaks"
    ),
    errors.InvalidText: lambda error: invalid_field("text", str(error)),
    errors.FormatImpossible: lambda error: invalid_field("format", str(error)),
    errors.InvalidMarkup: invalid_markup,
    errors.Overloaded: overloaded,
    errors.AudioExpired: lambda _error: EXPIRED,
    errors.GenerationUnfinished: lambda _error: UNFINISHED,
    errors.GenerationFailedError: failed,
    errors.WrongState: wrong_state,
    errors.QuotaExceeded: quota_exceeded,
    Unavailable: lambda _error: UNAVAILABLE,
    ObjectStoreUnavailable: lambda _error: UNAVAILABLE,
}
