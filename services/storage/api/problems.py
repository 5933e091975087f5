"""What clients are told when something cannot be had."""

from __future__ import annotations

from collections.abc import Mapping

from libs.objectstore import ObjectMissing, ObjectStoreUnavailable
from libs.web import Problem, ProblemOf, invalid_field
from libs.web.problems import UNAVAILABLE
from services.storage.domain.audio import AudioLost, AudioNotFound, AudioOnItsWay, TrackNotFound
from services.storage.domain.content import ProbingUnavailable
from services.storage.domain.delivery import PreconditionFailed, RangeNotSatisfiable
from services.storage.domain.uploads import (
    MOST_PENDING,
    MediaNotFound,
    TooManyUploads,
    UploadExpired,
    UploadIncomplete,
    UploadInvalid,
    UploadNotFound,
    UploadRejected,
    UploadStored,
)

NO_TRACK = Problem(404, "track_not_found", "There is no such track")
NO_AUDIO = Problem(404, "audio_not_found", "There is no such audio")
ON_ITS_WAY = Problem(
    503,
    "audio_on_its_way",
    "The audio is made, and not at hand yet",
    "It is handed from one service to another; please ask again in a moment.",
    headers={"Retry-After": "1"},
)
LOST = Problem(
    503,
    "audio_lost",
    "The audio is not there as it was kept",
    "It is being made again, if it can be; ask again later, or for the same speech anew.",
    headers={"Retry-After": "30"},
)
NO_OBJECT = Problem(404, "object_not_found", "There is no such file")
CHANGED = Problem(
    412,
    "precondition_failed",
    "The file is not the one that the request expects",
    "If-Match, If-Unmodified-Since: leave them out to get the file as it is now.",
)

NO_UPLOAD = Problem(404, "upload_not_found", "There is no such upload", "POST /v1/uploads opens another one.")
NO_MEDIA = Problem(404, "media_not_found", "There is no such media", "GET /v1/media lists what there is.")
UPLOAD_EXPIRED = Problem(
    410, "upload_expired", "The upload was not completed in time", "POST /v1/uploads opens another one."
)
UPLOAD_COMPLETED = Problem(
    409, "upload_completed", "The upload is completed", "It is media by now: DELETE /v1/media/{id}, with the same id."
)
TOO_MANY_UPLOADS = Problem(
    409,
    "too_many_uploads",
    "Too many uploads are open",
    f"{MOST_PENDING} at a time are; complete some of them or give them up.",
    {"limit": MOST_PENDING},
)


def incomplete(error: UploadIncomplete) -> Problem:
    return Problem(409, "upload_incomplete", "Not all has arrived", f"{error}; send what is missing, and try again.")


def rejected(error: UploadRejected) -> Problem:
    return Problem(422, "upload_rejected", "The file is not what was announced", f"{error}.", {"reason": str(error)})


def _invalid(error: UploadInvalid) -> Problem:
    return invalid_field(error.field, str(error), **({} if error.limit is None else {"limit": error.limit}))


def unsatisfiable(error: RangeNotSatisfiable) -> Problem:
    return Problem(
        416,
        "range_not_satisfiable",
        "The range lies behind the end of the file",
        f"Range: the file has {error.size} bytes.",
        {"size": error.size},
        {"content-range": f"bytes */{error.size}", "accept-ranges": "bytes"},
    )


PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    TrackNotFound: lambda _error: NO_TRACK,
    AudioNotFound: lambda _error: NO_AUDIO,
    AudioLost: lambda _error: LOST,
    AudioOnItsWay: lambda _error: ON_ITS_WAY,
    ObjectMissing: lambda _error: NO_OBJECT,
    ObjectStoreUnavailable: lambda _error: UNAVAILABLE,
    MediaNotFound: lambda _error: NO_MEDIA,
    ProbingUnavailable: lambda _error: UNAVAILABLE,
    TooManyUploads: lambda _error: TOO_MANY_UPLOADS,
    UploadExpired: lambda _error: UPLOAD_EXPIRED,
    UploadIncomplete: incomplete,
    UploadInvalid: _invalid,
    UploadNotFound: lambda _error: NO_UPLOAD,
    UploadRejected: rejected,
    UploadStored: lambda _error: UPLOAD_COMPLETED,
    PreconditionFailed: lambda _error: CHANGED,
    RangeNotSatisfiable: unsatisfiable,
}
