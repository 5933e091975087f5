"""What clients can do with generations."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import (
    GenerationCompleted,
    GenerationDeferred,
    GenerationDeleted,
    GenerationFailed,
    GenerationRequested,
)
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Delivery, Unavailable, inbox
from libs.web import Caller
from services.generation import domain, store
from services.generation.adapters import Finishes, Quota

logger = logging.getLogger(__name__)

ADMIT_GENERATION = "generation-admit_generation"
"""The durable of the consumer that calls that use case: what the inbox remembers is its."""
VOICE_GRACE_SECONDS = 2.0
"""How long a request waits for a brand-new voice to become known here."""
VOICE_POLL_SECONDS = 0.05
WAIT_POLL_SECONDS = 0.5
"""How long a lost notice can delay the answer to a waiting client."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with."""

    database: Database
    quota: Quota
    finishes: Finishes
    clock: Callable[[], datetime]


async def request_generation(
    deps: Deps, caller: Caller, request: domain.Request, idempotency_key: str | None, *, wait_seconds: float = 0
) -> domain.Generation:
    """Accept a request for speech, and return it once it is finished or as it is after `wait_seconds`.

    The same idempotency key gives the same generation. What comes while the quota cannot be asked is accepted,
    too, and fails later if the plan does not cover it. Raises UnknownVoice, QuotaExceeded, IdempotencyConflict.
    """
    generation_id = new_id()
    # Listening begins before anything can finish.
    with deps.finishes.expecting(generation_id) as finished:
        generation = await _request(deps, caller, request, idempotency_key, generation_id)
        if wait_seconds and generation.id == generation_id:
            return await _wait(deps, caller, generation, finished, wait_seconds)
    if wait_seconds:
        with deps.finishes.expecting(generation.id) as finished:
            return await _wait(deps, caller, generation, finished, wait_seconds)
    return generation


async def _request(
    deps: Deps, caller: Caller, request: domain.Request, idempotency_key: str | None, generation_id: UUID
) -> domain.Generation:
    """Reserve the characters if that can be done, then write the request with its event in one transaction."""
    earlier = await _asked_before(deps, caller, request, idempotency_key)
    if earlier is not None:
        return earlier
    voice = await _find_voice(deps, caller, request.voice_id)
    try:
        await deps.quota.reserve(caller.org_id, generation_id, request.characters)
        reserved = True
    except Unavailable as error:
        logger.warning("the quota is asked later", extra={"reason": str(error)})
        reserved = False
    try:
        return await _accept(deps, caller, request, voice, generation_id, idempotency_key, reserved=reserved)
    except IntegrityError:
        # Only the idempotency key can collide: the same request arrived twice at once.
        earlier = await _asked_before(deps, caller, request, idempotency_key)
        if earlier is None:
            raise
        return earlier


async def _asked_before(
    deps: Deps, caller: Caller, request: domain.Request, idempotency_key: str | None
) -> domain.Generation | None:
    if idempotency_key is None:
        return None
    async with deps.database.transaction(caller.org_id) as session:
        earlier = await store.get_by_idempotency_key(session, caller.org_id, idempotency_key)
    if earlier is not None and earlier.request_hash != request.fingerprint():
        raise domain.IdempotencyConflict
    return earlier


async def _find_voice(deps: Deps, caller: Caller, voice_id: UUID) -> domain.Voice:
    deadline = asyncio.get_running_loop().time() + VOICE_GRACE_SECONDS
    while True:
        async with deps.database.transaction(caller.org_id) as session:
            voice = await store.get_voice(session, voice_id)
        if voice is not None:
            return voice
        new = domain.may_be_on_its_way(voice_id, deps.clock())
        if not new or asyncio.get_running_loop().time() > deadline:
            raise domain.UnknownVoice
        await asyncio.sleep(VOICE_POLL_SECONDS)


async def _accept(
    deps: Deps,
    caller: Caller,
    request: domain.Request,
    voice: domain.Voice,
    generation_id: UUID,
    idempotency_key: str | None,
    *,
    reserved: bool,
) -> domain.Generation:
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        if voice.org_id is not None and not await store.lock_custom_voice(session, voice.id):
            raise domain.UnknownVoice
        generation = await store.insert_generation(
            session,
            generation_id=generation_id,
            org_id=caller.org_id,
            request=request,
            voice=voice,
            idempotency_key=idempotency_key,
            now=now,
        )
        requested = requested_event(generation, voice, now)
        outbox.add(session, requested if reserved else _deferred_event(requested, now))
    return generation


async def admit_generation(deps: Deps, delivery: Delivery[GenerationDeferred]) -> None:
    """Reserve the characters of a request that was put off, and hand it to the workers; or fail it.

    One that was deleted meanwhile hears nothing. Raises Unavailable while the quota cannot be asked.
    """
    requested = delivery.event.request
    org_id, generation_id = UUID(requested.org_id), UUID(requested.generation_id)
    refusal: domain.QuotaExceeded | None = None
    try:
        await deps.quota.reserve(org_id, generation_id, requested.characters)
    except domain.QuotaExceeded as error:
        refusal = error
    async with deps.database.transaction(org_id) as session:
        if not await inbox.is_new(session, ADMIT_GENERATION, delivery.event_id):
            return
        if refusal is None:
            if await store.lock_pending_generation(session, org_id, generation_id):
                outbox.add(session, requested)
        elif await store.fail_generation(session, generation_id, code="quota_exceeded", reason=refusal.explanation):
            outbox.add(
                session, failed_event(generation_id, org_id, "quota_exceeded", refusal.explanation, deps.clock())
            )


def requested_event(generation: domain.Generation, voice: domain.Voice, now: datetime) -> GenerationRequested:
    """Return the event that asks the workers for a generation."""
    return GenerationRequested(
        generation_id=str(generation.id),
        org_id=str(generation.org_id),
        voice_id=str(voice.id),
        text=generation.text,
        characters=generation.characters,
        format=generation.format,
        engine=voice.engine,
        engine_settings=json.dumps(voice.engine_settings, sort_keys=True),
        speed=generation.speed,
        requested_at=now,
    )


def _deferred_event(requested: GenerationRequested, now: datetime) -> GenerationDeferred:
    return GenerationDeferred(
        generation_id=requested.generation_id, org_id=requested.org_id, request=requested, deferred_at=now
    )


async def _wait(
    deps: Deps,
    caller: Caller,
    generation: domain.Generation,
    finished: asyncio.Future[domain.Generation | None],
    seconds: float,
) -> domain.Generation:
    """Return the generation once it is finished, or as it is after `seconds` or when the process is to stop.

    Raises GenerationNotFound.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while not generation.is_finished:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0 or deps.finishes.is_closing:
            break
        await asyncio.wait({finished}, timeout=min(left, WAIT_POLL_SECONDS))
        told = finished.result() if finished.done() else None
        generation = told or await _current(deps, caller, generation.id)
        if finished.done():
            finished = asyncio.get_running_loop().create_future()  # heard once; from here on only time counts
    return generation


async def _current(deps: Deps, caller: Caller, generation_id: UUID) -> domain.Generation:
    async with deps.database.transaction(caller.org_id) as session:
        current = await store.get_generation(session, caller.org_id, generation_id)
    if current is None:
        raise domain.GenerationNotFound
    return current


async def delete_generation(database: Database, caller: Caller, generation_id: UUID, *, now: datetime) -> None:
    """Delete a generation of the caller's organisation; its objects follow by event.

    A worker that is speaking it finds it gone and leaves nothing. Raises GenerationNotFound.
    """
    async with database.transaction(caller.org_id) as session:
        keys = await store.delete_generation(session, caller.org_id, generation_id)
        if keys is None:
            raise domain.GenerationNotFound
        outbox.add(
            session,
            GenerationDeleted(
                generation_id=str(generation_id), org_id=str(caller.org_id), object_keys=keys, deleted_at=now
            ),
        )


def completed_event(generation: domain.Generation) -> GenerationCompleted:
    """Return the event that tells of a completed generation."""
    return GenerationCompleted(
        generation_id=str(generation.id),
        org_id=str(generation.org_id),
        voice_id=str(generation.voice_id or ""),
        voice_name=generation.voice_name,
        text=generation.text,
        characters=generation.characters,
        duration_seconds=generation.duration_seconds or 0.0,
        format=generation.format,
        model_id=generation.model_id,
        completed_at=generation.updated_at,
    )


def failed_event(generation_id: UUID, org_id: UUID, code: str, reason: str, now: datetime) -> GenerationFailed:
    """Return the event that tells of a failed generation."""
    return GenerationFailed(
        generation_id=str(generation_id), org_id=str(org_id), code=code, reason=reason, failed_at=now
    )
