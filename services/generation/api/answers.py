"""What the OpenAPI document says of this service's answers beyond their types."""

from __future__ import annotations

from datetime import UTC, datetime

from libs.web import answered, header
from services.generation.api import problems
from services.generation.api.views import GenerationView
from services.generation.domain import errors

_GENERATION = "/v1/generations/01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61"
_LOCATION = header("The generation.", _GENERATION)
_WAITED = {"Location": _LOCATION, "Preference-Applied": header("How long was waited.", "wait=30")}
_NOT_KEPT = header("Who may keep it.", "private, no-store")
_RESETS_AT = datetime(2026, 2, 1, tzinfo=UTC)

ASKED = answered(
    202,
    "The generation, still to be spoken",
    headers=_WAITED,
) | answered(201, "The generation, completed in the time that was waited", headers=_WAITED)
ASKED[201]["model"] = GenerationView
STREAM = answered(
    200,
    "The audio, while it is spoken",
    content=["audio/*"],
    headers={
        "Generation-Id": header("The generation's id.", _GENERATION.rsplit("/", 1)[1]),
        "Location": _LOCATION,
        "Cache-Control": _NOT_KEPT,
    },
)
LINES = answered(
    200,
    "Lines of JSON, while it is spoken",
    content=["application/x-ndjson"],
    headers=STREAM[200]["headers"],
)
ARCHIVE = answered(
    200,
    "A ZIP file with the audio of each",
    content=["application/zip"],
    headers={
        "Content-Disposition": header("Under which name to save it.", 'attachment; filename="generations.zip"'),
        "Cache-Control": _NOT_KEPT,
    },
)

REFUSED = (
    problems.quota_exceeded(errors.QuotaExceeded(asked=900, limit=10_000, remaining=120, resets_at=_RESETS_AT)),
    problems.NO_DICTIONARY,
    problems.UNKNOWN_VOICE,
    problems.overloaded(errors.Overloaded(waiting_seconds=12.0, retry_after_seconds=3)),
)
"""Why no generation is made."""
UNSPOKEN = (problems.failed(errors.GenerationFailedError("voice_missing", "The voice is not there any more.")),)
OF_ITS_STATE = (problems.NOT_FOUND, problems.wrong_state(errors.WrongState("completed")))
NO_AUDIO = (problems.NOT_FOUND, problems.UNFINISHED, problems.EXPIRED, *UNSPOKEN)
