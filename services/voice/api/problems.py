"""What clients are told when something is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from libs.audio.intake import IntakeUnavailable
from libs.messaging import Unavailable
from libs.objectstore import ObjectStoreUnavailable
from libs.web import Problem, ProblemOf, forms, invalid_field
from libs.web.problems import UNAVAILABLE
from services.voice import domain
from services.voice.domain.alignments import AligningFailed, RecordingNotAligned
from services.voice.domain.uploads import UploadUnusable

_MEGABYTES = domain.RECORDING_MAX_BYTES // 2**20
_MORE_THAN_TAKEN = f"has more than {_MEGABYTES} MB in all"

NOT_FOUND = Problem(404, "voice_not_found", "There is no such voice", "GET /v1/voices lists those that there are.")
NO_SAMPLE = Problem(
    404,
    "sample_not_found",
    "The voice has no such recording",
    "GET /v1/voices/{id}/samples lists those that there are.",
)
LAST_SAMPLE = Problem(
    409,
    "last_sample",
    "This is the voice's only recording",
    "A voice keeps at least one recording. Delete the voice, or make another one of other recordings.",
)
NO_AUDIO = Problem(404, "audio_not_found", "This voice has no audio yet")
SYSTEM_VOICE = Problem(
    409,
    "system_voice",
    "System voices cannot be changed or deleted",
    "They belong to everybody; only custom voices can be changed and can go.",
)
TOO_LARGE = Problem(
    413,
    "file_too_large",
    "The files are too large",
    f"file: {_MORE_THAN_TAKEN}; send shorter recordings (10 s are enough), or compressed ones.",
    {"errors": [{"field": "file", "message": _MORE_THAN_TAKEN, "limit": domain.RECORDING_MAX_BYTES}]},
)
NOT_MULTIPART = Problem(
    415,
    "unsupported_media_type",
    "The body is not multipart/form-data",
    "Send a form, with the recording as its field file: curl -F file=@recording.wav -F …",
)


def name_taken(_error: domain.VoiceNameTaken) -> Problem:
    message = "your organisation has a voice of that name; choose another, or delete that voice first"
    return Problem(
        409,
        "voice_name_taken",
        "The name is taken",
        f"name: {message}",
        {"errors": [{"field": "name", "message": message}]},
    )


_ADVICE = {
    "custom_voices": "Delete a voice that is not needed, or change the plan.",
    "stored_bytes": "Delete audio that is not needed, or change the plan.",
}


def quota_exceeded(error: domain.QuotaExceeded) -> Problem:
    what = error.quota.replace("_", " ")
    return Problem(
        402,
        "quota_exceeded",
        f"The plan's {what} are used up",
        f"{what}: {error.remaining} of {error.limit} are left. {_ADVICE.get(error.quota, 'Change the plan.')}",
        {
            "quota": error.quota,
            "limit": error.limit,
            "remaining": error.remaining,
            "resets_at": error.resets_at.isoformat() if error.resets_at else None,
        },
    )


def _same_twice(error: domain.SameRecordingTwice) -> Problem:
    return invalid_field("file", f"file {error.second} is the same as file {error.first}; send every recording once")


def sample_needed(error: domain.SampleNeeded) -> Problem:
    entries = [{"field": "sample_id", "message": f"without this recording: {reason}"} for reason in error.reasons]
    detail = f"Without it: {'; '.join(error.reasons)}. Delete the voice, or keep the recording."
    return Problem(409, "sample_needed", "The voice needs this recording", detail, {"errors": entries})


def _not_spoken(error: domain.LanguageNotSpoken) -> Problem:
    return invalid_field("language", f"no engine speaks {error}; use a tag such as en-US, de-DE or hi-IN")


def _not_aligned(error: AligningFailed) -> Problem:
    return invalid_field("file", f"could not be aligned: {error}; send a shorter recording, or its parts")


PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    domain.VoiceNotFound: lambda _error: NOT_FOUND,
    domain.AudioNotFound: lambda _error: NO_AUDIO,
    domain.QuotaExceeded: quota_exceeded,
    Unavailable: lambda _error: UNAVAILABLE,
    domain.SystemVoiceKept: lambda _error: SYSTEM_VOICE,
    domain.VoiceNameTaken: name_taken,
    domain.RecordingTooLarge: lambda _error: TOO_LARGE,
    domain.SameRecordingTwice: _same_twice,
    UploadUnusable: lambda error: invalid_field("upload_ids", str(error)),
    domain.SampleNotFound: lambda _error: NO_SAMPLE,
    domain.LastSample: lambda _error: LAST_SAMPLE,
    domain.SampleNeeded: sample_needed,
    domain.LanguageNotSpoken: _not_spoken,
    forms.NotMultipart: lambda _error: NOT_MULTIPART,
    forms.MalformedForm: lambda error: invalid_field("body", str(error)),
    RecordingNotAligned: lambda error: invalid_field("file", str(error)),
    AligningFailed: _not_aligned,
    IntakeUnavailable: lambda _error: UNAVAILABLE,
    ObjectStoreUnavailable: lambda _error: UNAVAILABLE,
}
