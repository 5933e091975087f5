"""The speech worker's use case: claim, speak, upload, record. No transaction spans the slow parts."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from opentelemetry import trace

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import Alignment, AudioRendered, GenerationRequested
from libs.database import Database
from libs.ids import new_id
from libs.objectstore import ObjectStore
from libs.speech.engine import (
    AudioFormat,
    PermanentSpeechError,
    Rendered,
    RenderJob,
    SpeechEngine,
    VoiceProfile,
)
from services.generation import domain, store, usecases

logger = logging.getLogger(__name__)
_tracer = trace.get_tracer("antiphon.worker")


@dataclass(frozen=True, slots=True)
class WorkerDeps:
    """What a speech worker works with."""

    database: Database
    objects: ObjectStore
    engine: SpeechEngine
    clock: Callable[[], datetime]


async def render(deps: WorkerDeps, requested: GenerationRequested) -> None:
    """Make the audio of one generation; nothing is left behind when it is gone or done already.

    Raises what may pass by itself; a text or voice that the engine refuses fails the generation.
    """
    org_id, generation_id = UUID(requested.org_id), UUID(requested.generation_id)
    attempt_id = new_id()
    async with deps.database.transaction(org_id) as session:
        if not await store.claim_generation(session, org_id, generation_id, attempt_id):
            return
    try:
        rendered = await _speak(deps.engine, requested)
    except PermanentSpeechError as error:
        await fail(deps, requested, code="text_not_speakable", reason=str(error), attempt_id=attempt_id)
        return
    except Exception as error:
        async with deps.database.transaction(org_id) as session:
            await store.fail_attempt(session, attempt_id, f"{type(error).__name__}: {error}")
        raise
    sha256 = hashlib.sha256(rendered.audio).hexdigest()
    key = domain.object_key(org_id, generation_id, sha256, requested.format)
    uploading = time.perf_counter()
    with _tracer.start_as_current_span("upload audio"):
        await deps.objects.put(key, rendered.audio, rendered.content_type)
    timings = _timings(rendered, time.perf_counter() - uploading)
    if not await _record(deps, requested, rendered, key, sha256, attempt_id, timings):
        await _discard(deps, org_id, generation_id, attempt_id, key)


async def _speak(engine: SpeechEngine, requested: GenerationRequested) -> Rendered:
    with _tracer.start_as_current_span("speak", attributes={"antiphon.characters": requested.characters}) as span:
        rendered = await engine.render(
            RenderJob(
                text=requested.text,
                voice=VoiceProfile.from_settings(json.loads(requested.engine_settings)),
                format=AudioFormat(requested.format),
                speed=requested.speed,
            )
        )
        span.set_attribute("antiphon.engine.queue_seconds", rendered.timings.queue_seconds)
        span.set_attribute("antiphon.engine.synthesis_seconds", rendered.timings.synthesis_seconds)
        span.set_attribute("antiphon.engine.encoding_seconds", rendered.timings.encoding_seconds)
        return rendered


def _timings(rendered: Rendered, upload_seconds: float) -> dict[str, float]:
    return {
        "queue_seconds": rendered.timings.queue_seconds,
        "synthesis_seconds": rendered.timings.synthesis_seconds,
        "encoding_seconds": rendered.timings.encoding_seconds,
        "upload_seconds": upload_seconds,
    }


async def _record(
    deps: WorkerDeps,
    requested: GenerationRequested,
    rendered: Rendered,
    key: str,
    sha256: str,
    attempt_id: UUID,
    timings: dict[str, float],
) -> bool:
    """Write the audio down and tell of it, in one transaction; False when nobody wants it any more."""
    org_id = UUID(requested.org_id)
    async with deps.database.transaction(org_id) as session:
        wanted = await store.save_rendered(
            session,
            org_id,
            UUID(requested.generation_id),
            attempt_id,
            object_key=key,
            duration_seconds=rendered.duration_seconds,
            applied=dict(rendered.applied),
            timings=timings,
        )
        if wanted:
            outbox.add(session, _rendered_event(requested, rendered, key, sha256, deps.clock()))
    return wanted


def _rendered_event(
    requested: GenerationRequested, rendered: Rendered, key: str, sha256: str, now: datetime
) -> AudioRendered:
    return AudioRendered(
        generation_id=requested.generation_id,
        org_id=requested.org_id,
        object_key=key,
        content_type=rendered.content_type,
        format=requested.format,
        size_bytes=len(rendered.audio),
        sha256=sha256,
        duration_seconds=rendered.duration_seconds,
        sample_rate=rendered.sample_rate,
        text=requested.text,
        alignment=Alignment(
            start_times=rendered.alignment.start_times,
            end_times=rendered.alignment.end_times,
        ),
        model_id=requested.engine,
        rendered_at=now,
    )


async def _discard(deps: WorkerDeps, org_id: UUID, generation_id: UUID, attempt_id: UUID, key: str) -> None:
    """End the try and remove what was uploaded in vain, unless the same audio was recorded by another worker."""
    async with deps.database.transaction(org_id) as session:
        await store.fail_attempt(session, attempt_id, "the generation was finished by another try, or deleted")
        recorded = await store.get_object_key(session, generation_id)
    if recorded != key:
        await deps.objects.delete(key)


async def fail(
    deps: WorkerDeps, requested: GenerationRequested, *, code: str, reason: str, attempt_id: UUID | None = None
) -> None:
    """End a generation as failed, with its event, unless it is finished or gone."""
    org_id, generation_id = UUID(requested.org_id), UUID(requested.generation_id)
    async with deps.database.transaction(org_id) as session:
        if attempt_id is not None:
            await store.fail_attempt(session, attempt_id, reason)
        if await store.fail_generation(session, generation_id, code=code, reason=reason):
            outbox.add(session, usecases.failed_event(generation_id, org_id, code, reason, deps.clock()))
            logger.warning("generation failed", extra={"generation_id": str(generation_id), "code": code})
