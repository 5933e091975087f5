"""The audio of generations, and when each part of it is heard."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from libs.speech.captions.levels import Level
from libs.speech.captions.subtitles import SubtitleFormat
from libs.web import CallerOf, answered, as_id, file_answers, header, told
from services.storage.api.files import send_track
from services.storage.api.parts import CONDITIONAL, PRIVATE, DepsOf
from services.storage.api.problems import CHANGED, LOST, NO_AUDIO, ON_ITS_WAY, unsatisfiable
from services.storage.domain import timing
from services.storage.domain.audio import Alignment, AudioNotFound
from services.storage.domain.delivery import RangeNotSatisfiable
from services.storage.store import tracks
from services.storage.usecases import find_audio, read_alignment

router = APIRouter()
_SUBTITLES = [SubtitleFormat(form).content_type.partition(";")[0] for form in SubtitleFormat]
_AUDIO = file_answers("audio/*") | told(NO_AUDIO, ON_ITS_WAY, LOST, CHANGED, unsatisfiable(RangeNotSatisfiable(20_480)))
TIMES = answered(200, "The times, or subtitles", content=_SUBTITLES, headers={"Cache-Control": header("", PRIVATE)})


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


def id_of(text: str) -> UUID:
    return as_id(text, AudioNotFound)


@router.head("/internal/generations/{generation_id}/audio", include_in_schema=False)
@router.get(
    "/internal/generations/{generation_id}/audio",
    response_class=Response,
    responses=_AUDIO,
    openapi_extra=CONDITIONAL,
)
async def get_audio(
    generation_id: str, request: Request, caller: CallerOf, deps: DepsOf, made: bool = False
) -> Response:
    """Send a generation's audio, or the asked part of it; what is `made` is waited for."""
    state = deps.known.state
    track = await find_audio(deps, caller, id_of(generation_id), tracks.get_track, made=made)
    return await send_track(request, deps, caller, track, state)


@router.get(
    "/internal/generations/{generation_id}/alignment",
    response_model=CharacterTimes | WordTimes | SentenceTimes,
    responses=TIMES | told(NO_AUDIO, ON_ITS_WAY, LOST),
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
    found: Alignment | str = await find_audio(deps, caller, id_of(generation_id), tracks.get_alignment, made=made)
    alignment = await read_alignment(deps, found) if isinstance(found, str) else found
    content, content_type = await asyncio.to_thread(timing.document, alignment, level, form, normalized=normalized)
    return Response(content, headers={"cache-control": PRIVATE, "content-type": content_type})
