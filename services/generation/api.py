"""HTTP routes of the generation service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.status import HTTP_201_CREATED, HTTP_202_ACCEPTED

from libs.database import Cursor, page_of
from libs.ids import parse_id
from libs.web import CallerOf, Problem, ProblemOf, handover, invalid_field
from services.generation import domain, store, usecases
from services.generation.usecases import Deps

router = APIRouter()

RETRY_AFTER_SECONDS = 1


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(_deps)]


class NewGeneration(BaseModel):
    """A request for speech. Unknown fields are refused, so that a typing error does not pass silently."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=domain.TEXT_MAX_LENGTH)
    voice_id: str = Field(min_length=1, max_length=64)
    temperature: float = Field(default=0.8, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(default=0.95, ge=0, le=1, allow_inf_nan=False)
    top_k: int = Field(default=1000, ge=1, le=10_000)
    repetition_penalty: float = Field(default=1.2, ge=1, le=2, allow_inf_nan=False)
    speed: float = Field(default=1.0, ge=0.25, le=4, allow_inf_nan=False)
    format: domain.AudioFormatName = "mp3"

    @field_validator("text")
    @classmethod
    def _speakable(cls, text: str) -> str:
        if "\0" in text:
            raise ValueError(f"has a NUL at character {text.index(chr(0))}; remove it")
        if not text.strip():
            raise ValueError("is only white space; there is nothing to speak")
        return text


class GenerationError(BaseModel):
    """Why a generation failed."""

    code: str
    message: str


class GenerationView(BaseModel):
    """A generation as clients see it. Times are UTC; durations are seconds."""

    id: UUID
    status: domain.Status
    text: str
    characters: int
    voice_id: UUID | None
    voice_name: str
    format: str
    model_id: str
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    speed: float
    parameters_applied: dict[str, Any]  # Any: the engine's own values
    parameters_ignored: list[str]
    duration_seconds: float | None
    error: GenerationError | None
    audio_url: str | None
    alignment_url: str | None
    created_at: datetime
    updated_at: datetime


class GenerationList(BaseModel):
    """One page of generations, newest first."""

    items: list[GenerationView]
    next_cursor: str | None


def _view(generation: domain.Generation) -> GenerationView:
    path = f"/v1/generations/{generation.id}"
    completed = generation.status == "completed"
    failed = generation.status == "failed"
    return GenerationView(
        **{name: getattr(generation, name) for name in GenerationView.model_fields if hasattr(generation, name)}
        | {
            "parameters_applied": generation.applied,
            "parameters_ignored": generation.ignored_parameters,
            "duration_seconds": generation.duration_seconds if completed else None,
            "audio_url": f"{path}/audio" if completed else None,
            "alignment_url": f"{path}/alignment" if completed else None,
            "error": GenerationError(code=generation.error_code or "failed", message=generation.error or "")
            if failed
            else None,
        }
    )


def _id(text: str) -> UUID:
    parsed = parse_id(text)
    if parsed is None:
        raise domain.GenerationNotFound
    return parsed


@router.post("/v1/generations", status_code=HTTP_202_ACCEPTED)
async def create_generation(
    new: NewGeneration,
    caller: CallerOf,
    deps: DepsOf,
    response: Response,
    prefer: Annotated[str | None, Header()] = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> GenerationView:
    """Ask for speech: 202 at once, or 201 when it was completed within `Prefer: wait=N` (at most 60 s)."""
    voice_id = parse_id(new.voice_id)
    if voice_id is None:
        raise domain.UnknownVoice
    request = domain.Request(**(new.model_dump() | {"voice_id": voice_id}))
    seconds = domain.wait_seconds(prefer)
    generation = await usecases.request_generation(deps, caller, request, idempotency_key, wait_seconds=seconds)
    if seconds:
        response.headers["Preference-Applied"] = f"wait={seconds}"
    response.headers["Location"] = f"/v1/generations/{generation.id}"
    if generation.status == "completed":
        response.status_code = HTTP_201_CREATED
    return _view(generation)


@router.get("/v1/generations")
async def list_generations(
    caller: CallerOf,
    deps: DepsOf,
    status: domain.Status | None = None,
    voice_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> GenerationList:
    """List the organisation's generations, newest first."""
    after = Cursor.decode(cursor) if cursor else None
    async with deps.database.transaction(caller.org_id) as session:
        rows = await store.list_generations(
            session, caller.org_id, status=status, voice_id=voice_id, after=after, limit=limit
        )
    page = page_of(rows, limit, lambda row: Cursor(row.created_at, row.id))
    return GenerationList(items=[_view(row) for row in page.items], next_cursor=page.next_cursor)


async def _get(deps: Deps, caller: CallerOf, generation_id: str) -> domain.Generation:
    async with deps.database.transaction(caller.org_id) as session:
        generation = await store.get_generation(session, caller.org_id, _id(generation_id))
    if generation is None:
        raise domain.GenerationNotFound
    return generation


@router.get("/v1/generations/{generation_id}")
async def get_generation(generation_id: str, caller: CallerOf, deps: DepsOf) -> GenerationView:
    """Return one generation."""
    return _view(await _get(deps, caller, generation_id))


@router.delete("/v1/generations/{generation_id}", status_code=204)
async def delete_generation(generation_id: str, caller: CallerOf, deps: DepsOf) -> None:
    """Delete a generation with its audio, in whatever state it is."""
    await usecases.delete_generation(deps.database, caller, _id(generation_id), now=deps.clock())


@router.head("/v1/generations/{generation_id}/audio", include_in_schema=False)
@router.get("/v1/generations/{generation_id}/audio")
async def get_audio(generation_id: str, caller: CallerOf, deps: DepsOf) -> Response:
    """Return the audio; 409 with Retry-After while it is being made."""
    generation = domain.audio_of(await _get(deps, caller, generation_id))
    return handover("storage", f"/internal/generations/{generation.id}/audio")


@router.get("/v1/generations/{generation_id}/alignment")
async def get_alignment(generation_id: str, caller: CallerOf, deps: DepsOf) -> Response:
    """Return when each character is heard; 409 with Retry-After while the audio is being made."""
    generation = domain.audio_of(await _get(deps, caller, generation_id))
    return handover("storage", f"/internal/generations/{generation.id}/alignment")


def _quota_exceeded(error: domain.QuotaExceeded) -> Problem:
    return Problem(
        402,
        "quota_exceeded",
        "The plan's characters for this period are used up",
        error.explanation,
        {
            "limit": error.limit,
            "remaining": error.remaining,
            "asked": error.asked,
            "resets_at": error.resets_at.isoformat(),
        },
    )


def _failed(error: domain.GenerationFailedError) -> Problem:
    return Problem(
        409, "generation_failed", "The generation failed; there is no audio", error.reason, {"reason_code": error.code}
    )


_UNFINISHED = Problem(
    409,
    "generation_unfinished",
    "The audio is still being made",
    f"Ask again after {RETRY_AFTER_SECONDS} s, or post with the header `Prefer: wait=30`.",
    headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
)
_NOT_FOUND = Problem(404, "generation_not_found", "There is no such generation")
_KEY_REUSED = Problem(
    422,
    "idempotency_key_reused",
    "The idempotency key was used for another request",
    "Idempotency-Key: send a new key for a new request, or repeat the first request unchanged.",
)

PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    domain.GenerationNotFound: lambda _error: _NOT_FOUND,
    domain.UnknownVoice: lambda _error: invalid_field(
        "voice_id", "there is no such voice; GET /v1/voices lists those that there are", code="unknown_voice"
    ),
    domain.GenerationUnfinished: lambda _error: _UNFINISHED,
    domain.GenerationFailedError: _failed,
    domain.QuotaExceeded: _quota_exceeded,
    domain.IdempotencyConflict: lambda _error: _KEY_REUSED,
}
