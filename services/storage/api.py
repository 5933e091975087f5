"""HTTP routes of the storage service: the bytes, for whoever the owning service has let through."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from libs.ids import parse_id
from libs.messaging import Unavailable
from libs.objectstore import ObjectMissing, ObjectStore, ObjectStoreUnavailable
from libs.speech.captions.levels import Level
from libs.speech.captions.subtitles import SubtitleFormat
from libs.web import FILE_CONDITIONS, CallerOf, Problem, ProblemOf, answered, file_answers, header, told
from libs.web.problems import UNAVAILABLE
from services.storage import store
from services.storage.adapters import describe_object
from services.storage.domain import timing
from services.storage.domain.audio import Alignment, AudioNotFound, AudioOnItsWay
from services.storage.domain.delivery import (
    CONDITIONS,
    ByteRange,
    PreconditionFailed,
    RangeNotSatisfiable,
    Representation,
    select_part,
)
from services.storage.domain.keys import Audience, audience_of
from services.storage.usecases import Deps, find_audio, read_alignment

router = APIRouter()

_PRIVATE = "private, max-age=3600"
_CACHE_CONTROL = {Audience.EVERYBODY: "public, max-age=86400", Audience.ORGANIZATION: _PRIVATE}


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(_deps)]


def _id(text: str) -> UUID:
    parsed = parse_id(text)
    if parsed is None:
        raise AudioNotFound
    return parsed


_NO_AUDIO = Problem(404, "audio_not_found", "There is no such audio")
_ON_ITS_WAY = Problem(
    503,
    "audio_on_its_way",
    "The audio is made, and not at hand yet",
    "It is handed from one service to another; please ask again in a moment.",
    headers={"Retry-After": "1"},
)
_NO_OBJECT = Problem(404, "object_not_found", "There is no such file")
_CHANGED = Problem(
    412,
    "precondition_failed",
    "The file is not the one that the request expects",
    "If-Match, If-Unmodified-Since: leave them out to get the file as it is now.",
)


def _unsatisfiable(error: RangeNotSatisfiable) -> Problem:
    return Problem(
        416,
        "range_not_satisfiable",
        "The range lies behind the end of the file",
        f"Range: the file has {error.size} bytes.",
        {"size": error.size},
        {"content-range": f"bytes */{error.size}", "accept-ranges": "bytes"},
    )


class CharacterTimes(BaseModel):
    """When each character is heard, in seconds from the beginning."""

    characters: list[str] = Field(examples=[["H", "i"]])
    start_times: list[float] = Field(examples=[[0.0, 0.08]])
    end_times: list[float] = Field(examples=[[0.08, 0.21]])


class SpanTimes(BaseModel):
    """When a word or a sentence is heard; it is characters `start_index` to before `end_index` of the text."""

    text: str = Field(examples=["Hi"])
    start: float = Field(examples=[0.0])
    end: float = Field(examples=[0.21])
    start_index: int = Field(examples=[0])
    end_index: int = Field(examples=[2])


class WordTimes(BaseModel):
    """When each word is heard."""

    words: list[SpanTimes]


class SentenceTimes(BaseModel):
    """When each sentence is heard."""

    sentences: list[SpanTimes]


_SUBTITLES = [SubtitleFormat(form).content_type.partition(";")[0] for form in SubtitleFormat]
_AUDIO = file_answers("audio/*") | told(_NO_AUDIO, _ON_ITS_WAY, _CHANGED, _unsatisfiable(RangeNotSatisfiable(20_480)))
_OBJECT = file_answers("audio/*") | told(_NO_OBJECT, _CHANGED, _unsatisfiable(RangeNotSatisfiable(20_480)))
_TIMES = answered(200, "The times, or subtitles", content=_SUBTITLES, headers={"Cache-Control": header("", _PRIVATE)})
_CONDITIONAL = {"parameters": FILE_CONDITIONS}


@router.head("/internal/generations/{generation_id}/audio", include_in_schema=False)
@router.get(
    "/internal/generations/{generation_id}/audio",
    response_class=Response,
    responses=_AUDIO,
    openapi_extra=_CONDITIONAL,
)
async def get_audio(
    generation_id: str, request: Request, caller: CallerOf, deps: DepsOf, made: bool = False
) -> Response:
    """Send a generation's audio, or the asked part of it; what is `made` is waited for."""
    track = await find_audio(deps, caller, _id(generation_id), store.get_track, made=made)
    file = File(
        key=track.object_key,
        representation=track.representation,
        content_type=track.content_type,
        cache_control=_PRIVATE,
        filename=track.filename,
    )
    return send_file(request, deps.objects, file)


@router.get(
    "/internal/generations/{generation_id}/alignment",
    response_model=CharacterTimes | WordTimes | SentenceTimes,
    responses=_TIMES | told(_NO_AUDIO, _ON_ITS_WAY),
)
async def get_alignment(
    generation_id: str,
    caller: CallerOf,
    deps: DepsOf,
    level: Level = Level.CHARACTER,
    form: Annotated[SubtitleFormat | Literal["json"], Query(alias="format")] = timing.JSON,
    normalized: bool = False,
    made: bool = False,
) -> Response:
    """Send when each character, word or sentence of a generation is heard, in seconds, or subtitles."""
    found: Alignment | str = await find_audio(deps, caller, _id(generation_id), store.get_alignment, made=made)
    alignment = await read_alignment(deps, found) if isinstance(found, str) else found
    content, content_type = await asyncio.to_thread(timing.document, alignment, level, form, normalized=normalized)
    return Response(content, headers={"cache-control": _PRIVATE, "content-type": content_type})


@router.head("/internal/objects/{key:path}", include_in_schema=False)
@router.get("/internal/objects/{key:path}", response_class=Response, responses=_OBJECT, openapi_extra=_CONDITIONAL)
async def get_object(key: str, request: Request, caller: CallerOf, deps: DepsOf) -> Response:
    """Send an object of a system voice or of one of the caller's voices, or the asked part of it."""
    audience = audience_of(key, caller.org_id)
    if audience is None:
        raise ObjectMissing
    found = await describe_object(deps.objects, key)
    file = File(
        key=key,
        representation=found.representation,
        content_type=found.content_type,
        cache_control=_CACHE_CONTROL[audience],
    )
    return send_file(request, deps.objects, file)


@dataclass(frozen=True, slots=True)
class File:
    """An object as it is sent: what it is, how long it may be kept, and under which name it is saved."""

    key: str
    representation: Representation
    content_type: str
    cache_control: str
    filename: str | None = None

    def headers(self) -> dict[str, str]:
        """Return what 200, 206 and 304 say of it."""
        return {
            "etag": self.representation.etag,
            "last-modified": format_datetime(self.representation.modified, usegmt=True),
            "cache-control": self.cache_control,
        }

    def content_headers(self, part: ByteRange | None) -> dict[str, str]:
        """Return what 200 and 206 say of its content."""
        size = self.representation.size
        headers = {
            "content-type": self.content_type,
            "content-length": str(part.length if part else size),
            "accept-ranges": "bytes",
            "x-content-type-options": "nosniff",
        }
        if part is not None:
            headers["content-range"] = f"bytes {part.first}-{part.last}/{size}"
        if self.filename is not None:
            headers["content-disposition"] = f'inline; filename="{self.filename}"'
        return headers


def send_file(request: Request, objects: ObjectStore, file: File) -> Response:
    """Answer a GET or HEAD for `file` with 200, 206 or 304; raises what is answered with 412 and 416."""
    conditions = {name: ", ".join(request.headers.getlist(name)) for name in CONDITIONS if name in request.headers}
    selection = select_part(file.representation, request.method, conditions)
    if selection.is_unchanged:
        return Response(status_code=304, headers=file.headers())
    if request.method == "HEAD":
        return Response(headers=file.headers() | file.content_headers(None))
    return _ObjectResponse(objects, file, selection.part)


class _ObjectResponse(StreamingResponse):
    """Passes an object on as it arrives, no faster than the client takes it.

    The object is opened here and not by the route, so that whatever ends the answer also ends the reading.
    """

    def __init__(self, objects: ObjectStore, file: File, part: ByteRange | None) -> None:
        self._objects = objects
        self._file = file
        self._part = part
        super().__init__((), 206 if part else 200, file.headers() | file.content_headers(part))

    async def stream_response(self, send: Send) -> None:
        conditions = {"range": f"bytes={self._part.first}-{self._part.last}"} if self._part else {}
        try:
            async with self._objects.open(self._file.key, conditions) as reader:
                if (reader.status, reader.headers.get("content-length")) != (
                    self.status_code,
                    self.headers["content-length"],
                ):
                    raise Unavailable("the object store sent another part than the one that was asked for")
                self.body_iterator = reader.chunks
                await super().stream_response(send)
        except ObjectStoreUnavailable as error:
            raise Unavailable(str(error)) from error


PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    AudioNotFound: lambda _error: _NO_AUDIO,
    AudioOnItsWay: lambda _error: _ON_ITS_WAY,
    ObjectMissing: lambda _error: _NO_OBJECT,
    ObjectStoreUnavailable: lambda _error: UNAVAILABLE,
    PreconditionFailed: lambda _error: _CHANGED,
    RangeNotSatisfiable: _unsatisfiable,
}
