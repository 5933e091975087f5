"""What clients are told when something is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from libs.objectstore import ObjectStoreUnavailable
from libs.web import Problem, ProblemOf, invalid_field
from libs.web.problems import UNAVAILABLE
from services.voice import domain
from services.voice.api import forms

_MEGABYTES = domain.RECORDING_MAX_BYTES // 2**20

_NOT_FOUND = Problem(404, "voice_not_found", "There is no such voice", "GET /v1/voices lists those that there are.")
_NO_AUDIO = Problem(404, "audio_not_found", "This voice has no audio yet")
_SYSTEM_VOICE = Problem(
    409, "system_voice", "System voices cannot be deleted", "They belong to everybody; only custom voices can go."
)
_TOO_LARGE = Problem(
    413,
    "file_too_large",
    "The file is too large",
    f"file: has more than {_MEGABYTES} MB; send a shorter recording (10 s are enough), or mono at a lower sample rate.",
    {"errors": [{"field": "file", "message": f"has more than {_MEGABYTES} MB", "limit": domain.RECORDING_MAX_BYTES}]},
)
_NOT_MULTIPART = Problem(
    415,
    "unsupported_media_type",
    "The body is not multipart/form-data",
    "Send a form with the fields name and file: curl -F name=… -F file=@recording.wav",
)


def _name_taken(_error: domain.VoiceNameTaken) -> Problem:
    message = "your organisation has a voice of that name; choose another, or delete that voice first"
    return Problem(
        409,
        "voice_name_taken",
        "The name is taken",
        f"name: {message}",
        {"errors": [{"field": "name", "message": message}]},
    )


def _not_audio(error: domain.NotAudio) -> Problem:
    return Problem(
        422,
        "not_audio",
        "The file is no recording that is understood",
        f"file: {error}",
        {"errors": [{"field": "file", "message": str(error)}]},
    )


def _too_short(error: domain.RecordingTooShort) -> Problem:
    least = domain.RECORDING_MIN_SECONDS
    message = f"{domain.tenths(error.seconds)} s of audio; at least {least:g} s are needed"
    entry = {"field": "file", "message": message, "measured_seconds": round(error.seconds, 3), "min_seconds": least}
    return Problem(422, "audio_too_short", "The recording is too short", f"file: {message}", {"errors": [entry]})


def _not_spoken(error: domain.LanguageNotSpoken) -> Problem:
    return invalid_field("language", f"no engine speaks {error}; use a tag such as en-US, de-DE or hi-IN")


PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    domain.VoiceNotFound: lambda _error: _NOT_FOUND,
    domain.AudioNotFound: lambda _error: _NO_AUDIO,
    domain.SystemVoiceKept: lambda _error: _SYSTEM_VOICE,
    domain.VoiceNameTaken: _name_taken,
    domain.RecordingTooLarge: lambda _error: _TOO_LARGE,
    domain.NotAudio: _not_audio,
    domain.RecordingTooShort: _too_short,
    domain.LanguageNotSpoken: _not_spoken,
    forms.NotMultipart: lambda _error: _NOT_MULTIPART,
    forms.MalformedForm: lambda error: invalid_field("body", str(error)),
    ObjectStoreUnavailable: lambda _error: UNAVAILABLE,
}
