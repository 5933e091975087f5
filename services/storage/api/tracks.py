"""Tracks: the audio that is kept, whichever generations have it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.database import Cursor, page_of
from libs.speech.captions.levels import Level
from libs.speech.captions.subtitles import SubtitleFormat
from libs.web import CallerOf, PathId, answered, file_answers, header, told
from services.storage.api.files import File, is_sent, send_track
from services.storage.api.generations import TIMES, CharacterTimes, SentenceTimes, WordTimes
from services.storage.api.parts import CONDITIONAL, NOT_KEPT, PRIVATE, DepsOf
from services.storage.api.problems import CHANGED, LOST, NO_OBJECT, NO_TRACK, unsatisfiable
from services.storage.api.track_views import (
    MOST_SIGNED_SECONDS,
    SignedSeconds,
    SignedUrlView,
    TrackList,
    TrackQuery,
    TrackView,
    track_id_of,
    view,
)
from services.storage.domain import timing
from services.storage.domain.delivery import RangeNotSatisfiable
from services.storage.usecases import finding

router = APIRouter()
_EXAMPLE = "https://media.example.com/antiphon/audio.mp3?X-Amz-Signature=9e1c"
_ELSEWHERE = answered(
    307,
    "Where the audio can be had from now on for a quarter of an hour, if `redirect` was asked for",
    headers={"Location": header("A signed URL.", _EXAMPLE), "Cache-Control": header("Who may keep it.", NOT_KEPT)},
)
_AUDIO = (
    file_answers("audio/*")
    | _ELSEWHERE
    | told(NO_TRACK, LOST, NO_OBJECT, CHANGED, unsatisfiable(RangeNotSatisfiable(20_480)))
)


@router.get("/v1/tracks")
async def list_tracks(caller: CallerOf, deps: DepsOf, wanted: Annotated[TrackQuery, Query()]) -> TrackList:
    """List the organisation's tracks, newest first; of a text the first 5,000 characters are shown."""
    after = Cursor.decode(wanted.cursor) if wanted.cursor else None
    rows = await finding.list_tracks(deps, caller, wanted.filter(), after=after, limit=wanted.limit)
    page = page_of(rows, wanted.limit, lambda track: Cursor(track.created_at, track.id))
    return TrackList(items=[view(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/v1/tracks/{track_id}", responses=told(NO_TRACK, LOST))
async def get_track(track_id: PathId, caller: CallerOf, deps: DepsOf) -> TrackView:
    """Return one track, with all of its text."""
    return view(await finding.find_track(deps, caller, track_id_of(track_id)))


@router.head("/v1/tracks/{track_id}/audio", include_in_schema=False)
@router.get("/v1/tracks/{track_id}/audio", response_class=Response, responses=_AUDIO, openapi_extra=CONDITIONAL)
async def get_track_audio(
    track_id: PathId,
    request: Request,
    caller: CallerOf,
    deps: DepsOf,
    redirect: Annotated[bool, Query(description="Be sent to where the object lies, instead of being sent it.")] = False,
) -> Response:
    """Send a track's audio, or the asked part of it."""
    state = deps.known.state
    track = await finding.find_track_audio(deps, caller, track_id_of(track_id))
    file = File.of_track(track, PRIVATE)
    if redirect and is_sent(request, file):
        signed = deps.signer.sign("GET", track.object_key, headers=file.stored_headers())
        return RedirectResponse(signed.url, headers={"cache-control": NOT_KEPT})
    return await send_track(request, deps, caller, track, state)


@router.get(
    "/v1/tracks/{track_id}/alignment",
    response_model=CharacterTimes | WordTimes | SentenceTimes,
    responses=TIMES | told(NO_TRACK, LOST, NO_OBJECT),
)
async def get_track_alignment(
    track_id: PathId,
    caller: CallerOf,
    deps: DepsOf,
    level: Annotated[Level, Query(description="What is timed.")] = Level.CHARACTER,
    form: Annotated[
        SubtitleFormat | Literal["json"], Query(alias="format", description="Times as JSON, or subtitles.")
    ] = timing.JSON,
    normalized: Annotated[bool, Query(description="Of what was read (numbers as words), not of the text.")] = False,
) -> Response:
    """Return when each character, word or sentence is heard, in seconds, or subtitles."""
    alignment = await finding.find_track_alignment(deps, caller, track_id_of(track_id))
    content, content_type = await asyncio.to_thread(timing.document, alignment, level, form, normalized=normalized)
    return Response(content, headers={"cache-control": PRIVATE, "content-type": content_type})


@router.get("/v1/tracks/{track_id}/url", responses=told(NO_TRACK, LOST))
async def sign_track_url(
    track_id: PathId,
    caller: CallerOf,
    deps: DepsOf,
    response: Response,
    seconds: SignedSeconds = MOST_SIGNED_SECONDS,
) -> SignedUrlView:
    """Return a URL under which whoever has it gets the audio from the object store, without a key of ours."""
    track = await finding.find_track_audio(deps, caller, track_id_of(track_id))
    file = File.of_track(track, PRIVATE)
    signed = deps.signer.sign(
        "GET", track.object_key, lifetime=timedelta(seconds=seconds), headers=file.stored_headers()
    )
    response.headers["Cache-Control"] = NOT_KEPT
    return SignedUrlView(url=signed.url, expires_at=signed.expires_at)
