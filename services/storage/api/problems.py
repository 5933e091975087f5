"""What clients are told when something cannot be had."""

from __future__ import annotations

from collections.abc import Mapping

from libs.objectstore import ObjectMissing, ObjectStoreUnavailable
from libs.web import Problem, ProblemOf
from libs.web.problems import UNAVAILABLE
from services.storage.domain.audio import AudioLost, AudioNotFound, AudioOnItsWay, TrackNotFound
from services.storage.domain.delivery import PreconditionFailed, RangeNotSatisfiable

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
    PreconditionFailed: lambda _error: CHANGED,
    RangeNotSatisfiable: unsatisfiable,
}
