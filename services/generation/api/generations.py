"""Asking for speech, and what can be done with generations."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse
from starlette.status import HTTP_201_CREATED, HTTP_202_ACCEPTED

from libs.database import Cursor, page_of
from libs.ids import parse_id
from libs.web import HANDOVER_HEADER, Caller, CallerOf, Moment, OnceOf, PathId, Storable, handed_over, handover, told
from services.generation.api import answers, problems
from services.generation.api.parts import DepsOf
from services.generation.api.parts import generation_id as as_id
from services.generation.api.views import (
    AttemptList,
    AttemptView,
    GenerationList,
    GenerationView,
    NewGeneration,
    Revision,
    fitting,
    view,
)
from services.generation.domain import errors, requests
from services.generation.store import attempts, listing
from services.generation.usecases import Deps, choosing, downloading, ending, requesting, revising

router = APIRouter()

PreferOf = Annotated[str | None, Header()]


class GenerationQuery(BaseModel):
    """Which generations to list."""

    status: requests.Status | None = Field(default=None, description="Only those in this state.")
    mode: requests.Mode | None = Field(default=None, description="Only those asked for in this way.")
    voice_id: str | None = Field(default=None, max_length=64, description="Only those in the voice of this id.")
    text: Storable | None = Field(
        default=None, min_length=1, max_length=200, description="What the text contains, in any case."
    )
    since: Moment | None = Field(default=None, description="Asked for at this time or later.")
    until: Moment | None = Field(default=None, description="Asked for before this time.")
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = None


@router.post(
    "/v1/generations",
    status_code=HTTP_202_ACCEPTED,
    responses=answers.ASKED | told(*answers.REFUSED),
)
async def create_generation(
    new: NewGeneration,
    caller: CallerOf,
    deps: DepsOf,
    once: OnceOf,
    response: Response,
    prefer: PreferOf = None,
) -> GenerationView:
    """Ask for speech: 202 at once, or 201 when it was completed within `Prefer: wait=N` (at most 60 s).

    Audio of an equal request of the organisation is given at once, unless `cache` is false; it is not billed again.
    """
    request = new.to_request(
        await choosing.resolve_dictionaries(deps, caller, [one.model_dump() for one in new.dictionaries])
    )
    seconds = requests.wait_seconds(prefer)
    generation = await requesting.request_generation(deps, caller, request, once, wait_seconds=seconds)
    return _answer(generation, response, seconds)


def _answer(generation: requests.Generation, response: Response, seconds: int) -> GenerationView:
    if seconds:
        response.headers["Preference-Applied"] = f"wait={seconds}"
    response.headers["Location"] = f"/v1/generations/{generation.id}"
    if generation.status == "completed":
        response.status_code = HTTP_201_CREATED
    return view(generation)


@router.get("/v1/generations")
async def list_generations(
    caller: CallerOf, deps: DepsOf, wanted: Annotated[GenerationQuery, Query()]
) -> GenerationList:
    """List the organisation's generations, newest first; of a text the first 5,000 characters are shown."""
    after = Cursor.decode(wanted.cursor) if wanted.cursor else None
    voice_id = parse_id(wanted.voice_id) if wanted.voice_id else None
    if wanted.voice_id and voice_id is None:
        return GenerationList(items=[], next_cursor=None)
    which = listing.GenerationFilter(
        status=wanted.status,
        voice_id=voice_id,
        mode=wanted.mode,
        text=wanted.text,
        since=wanted.since,
        until=wanted.until,
    )
    async with deps.database.transaction(caller.org_id) as session:
        rows = await listing.list_generations(session, caller.org_id, which, after=after, limit=wanted.limit)
    page = page_of(rows, wanted.limit, _cursor)
    return GenerationList(items=[view(row) for row in page.items], next_cursor=page.next_cursor)


def _cursor(generation: requests.Generation) -> Cursor:
    return Cursor(generation.created_at, generation.id)


class Download(BaseModel):
    """Which generations to download together."""

    ids: list[str] = Field(
        min_length=1,
        max_length=1000,
        examples=[["01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61"]],
        description="Of generations.",
    )


@router.post(
    "/v1/generations/download",
    response_class=StreamingResponse,
    responses=answers.ARCHIVE | told(*answers.NO_AUDIO),
)
async def download_generations(wanted: Download, caller: CallerOf, deps: DepsOf) -> StreamingResponse:
    """Download the audio of several completed generations as one ZIP file."""
    ids = [as_id(one) for one in dict.fromkeys(wanted.ids)]
    content = await downloading.archive(deps, caller, ids)
    headers = {"content-disposition": 'attachment; filename="generations.zip"', "cache-control": "private, no-store"}
    return StreamingResponse(content, media_type="application/zip", headers=headers)


async def _get(deps: Deps, caller: Caller, text: str) -> requests.Generation:
    return await requesting.get_generation(deps, caller, as_id(text))


@router.get("/v1/generations/{generation_id}", responses=told(problems.NOT_FOUND))
async def get_generation(generation_id: PathId, caller: CallerOf, deps: DepsOf) -> GenerationView:
    """Return one generation."""
    return view(await _get(deps, caller, generation_id))


@router.delete("/v1/generations/{generation_id}", status_code=204, responses=told(problems.NOT_FOUND))
async def delete_generation(generation_id: PathId, caller: CallerOf, deps: DepsOf) -> None:
    """Delete a generation with its audio, in whatever state it is."""
    generation = await _get(deps, caller, generation_id)
    await ending.delete_generation(deps, caller, generation.id)


@router.post("/v1/generations/{generation_id}/cancel", responses=told(*answers.OF_ITS_STATE))
async def cancel_generation(generation_id: PathId, caller: CallerOf, deps: DepsOf, once: OnceOf) -> GenerationView:
    """Stop a generation that is not finished: nothing more of it is spoken, and nothing is billed."""
    generation = await _get(deps, caller, generation_id)
    return view(await ending.cancel_generation(deps, caller, generation.id, once))


@router.post(
    "/v1/generations/{generation_id}/retry",
    status_code=HTTP_202_ACCEPTED,
    responses=told(*answers.REFUSED, *answers.OF_ITS_STATE),
)
async def retry_generation(generation_id: PathId, caller: CallerOf, deps: DepsOf, once: OnceOf) -> GenerationView:
    """Begin a generation again that failed or was canceled; what was spoken of it is not spoken again."""
    generation = await _get(deps, caller, generation_id)
    return view(await ending.retry_generation(deps, caller, generation.id, once))


@router.post(
    "/v1/generations/{generation_id}/revise",
    status_code=HTTP_202_ACCEPTED,
    responses=answers.ASKED | told(*answers.REFUSED, *answers.OF_ITS_STATE),
)
async def revise_generation(
    generation_id: PathId,
    revision: Revision,
    caller: CallerOf,
    deps: DepsOf,
    once: OnceOf,
    response: Response,
    prefer: PreferOf = None,
) -> GenerationView:
    """Make a new generation of an edited text, with all else as it was: only what was changed is spoken."""
    former = await _get(deps, caller, generation_id)
    try:
        text = fitting(revision.text, former.mode)
    except ValueError as error:
        raise errors.InvalidText(str(error)) from error
    seconds = requests.wait_seconds(prefer)
    generation = await revising.revise_generation(deps, caller, former, text, once, wait_seconds=seconds)
    return _answer(generation, response, seconds)


@router.get("/v1/generations/{generation_id}/attempts", responses=told(problems.NOT_FOUND))
async def list_generation_attempts(generation_id: PathId, caller: CallerOf, deps: DepsOf) -> AttemptList:
    """Return how often its audio was tried to be made, and what came of it."""
    generation = await _get(deps, caller, generation_id)
    if generation.rendition_id is None:
        return AttemptList(items=[])
    async with deps.database.transaction(caller.org_id) as session:
        rows = await attempts.list_attempts(session, generation.rendition_id)
    return AttemptList(
        items=[AttemptView(**{name: getattr(row, name) for name in AttemptView.model_fields}) for row in rows]
    )


@router.head("/v1/generations/{generation_id}/audio", include_in_schema=False)
@router.get(
    "/v1/generations/{generation_id}/audio",
    response_class=Response,
    responses=told(*answers.NO_AUDIO),
    openapi_extra=handed_over("storage", "/internal/generations/{generation_id}/audio"),
)
async def get_generation_audio(generation_id: PathId, request: Request, caller: CallerOf, deps: DepsOf) -> Response:
    """Return the audio; 409 with Retry-After while it is being made."""
    state = deps.known_audio.state
    generation = await _get(deps, caller, generation_id)
    answer = handover("storage", f"/internal/generations/{requests.audio_of(generation)}/audio?made=true")
    deps.known_audio.keep(
        caller.org_id, request.scope["path"], answer.headers[HANDOVER_HEADER], of=generation.id, state=state
    )
    return answer


@router.get(
    "/v1/generations/{generation_id}/alignment",
    response_class=Response,
    responses=told(*answers.NO_AUDIO),
    openapi_extra=handed_over("storage", "/internal/generations/{generation_id}/alignment"),
)
async def get_generation_alignment(
    generation_id: PathId,
    caller: CallerOf,
    deps: DepsOf,
    level: Annotated[Literal["character", "word", "sentence"], Query(description="What is timed.")] = "character",
    form: Annotated[
        Literal["json", "srt", "vtt", "ass"], Query(alias="format", description="Times as JSON, or subtitles.")
    ] = "json",
    normalized: Annotated[bool, Query(description="Of what was read (numbers as words), not of the text.")] = False,
) -> Response:
    """Return when each character, word or sentence is heard, or subtitles; 409 with Retry-After while it is made."""
    audio_id = requests.audio_of(await _get(deps, caller, generation_id))
    query = f"made=true&level={level}&format={form}&normalized={str(normalized).lower()}"
    return handover("storage", f"/internal/generations/{audio_id}/alignment?{query}")
