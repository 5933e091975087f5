"""Writing down a rendition's audio with all that follows from it, in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from libs.ids import new_id
from services.generation.domain.requests import Generation
from services.generation.store.generations import STORED_NAMES, generation_of
from services.generation.store.queue import Work
from services.generation.store.renditions import Audio, renditions

_uuid = PgUuid(as_uuid=True)

# What is not given of the audio stays as it is. The first of those who wait pays for what had to be spoken. All of it
# sees the rendition as it is once it is locked: whoever joined it before that is completed, too.
_RECORD = Prepared(
    text(
        f"""
    with work as (
        delete from speech_queue where id = :work_id and worker = :worker returning rendition_id
    ), made as (
        update renditions r
        set status = 'completed', {", ".join(f"{name} = coalesce(:{name}, r.{name})" for name in Audio.__slots__)}
        from work where r.id = work.rendition_id and r.status = 'pending'
        returning r.*
    ), attempt as (
        insert into generation_attempts (id, rendition_id, org_id, model_id, status, timings, settings)
        select :attempt_id, id, org_id, :model_id, 'rendered', :timings, :settings from made
    ), payer as (
        select id from generations where rendition_id = :rendition_id and (status = 'pending' or status = 'processing')
            -- What was lost and is made again was paid for when it was made first.
            and not exists (select from generations
                where rendition_id = :rendition_id and status = 'completed' and characters_spoken > 0)
        order by created_at, id limit 1
    ), completed as (
        update generations g
        set status = 'completed', duration_seconds = made.duration_seconds, object_key = made.object_key,
            applied = made.applied, updated_at = now(),
            characters_spoken = case when g.id = (select id from payer) then made.characters_spoken else 0 end
        from made
        where g.rendition_id = :rendition_id and (g.status = 'pending' or g.status = 'processing')
        returning {", ".join(f"g.{name}" for name in STORED_NAMES)}, g.status, made.size_bytes
    ), renewed as (
        update generations g set object_key = made.object_key, duration_seconds = made.duration_seconds
        from made where g.rendition_id = :rendition_id and g.status = 'completed'
    )
    select exists (select from made) as is_wanted, completed.*,
        null::integer as chunks_total, null::integer as chunks_done
    from (select) always left join completed on true
    """  # noqa: S608 - names of ours
    ).bindparams(
        *(bindparam(name, type_=_uuid) for name in ("work_id", "worker", "attempt_id", "rendition_id")),
        *(bindparam(name, type_=renditions.c[name].type) for name in Audio.__slots__ if name != "applied"),
        bindparam("applied", type_=JSONB(none_as_null=True)),
        bindparam("model_id", type_=Text),
        bindparam("timings", type_=JSONB),
        bindparam("settings", type_=JSONB),
    )
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whether anybody wanted the audio, and the generations that were completed with it and its size in bytes."""

    is_wanted: bool
    completed: Sequence[tuple[Generation, int]]


async def record_audio(
    session: AsyncSession,
    work: Work,
    worker: UUID,
    audio: Audio,
    *,
    model_id: str,
    timings: Mapping[str, float],
    settings: Mapping[str, Any],  # Any: the engine's own values
) -> Recorded:
    """Complete a rendition, which is locked, and all that wait for it; remove the work that made it.

    Nothing changes when the work was withdrawn or is another worker's by now. A rendition that ended or is gone wants
    no audio.
    """
    row = {
        "work_id": work.id,
        "worker": worker,
        "rendition_id": work.rendition_id,
        "attempt_id": new_id(),
        "model_id": model_id,
        "timings": dict(timings),
        "settings": dict(settings),
    }
    audio_row = {name: getattr(audio, name) for name in Audio.__slots__}
    rows = await _RECORD.fetch(session, **row, **audio_row)
    completed = [(generation_of(one), one["size_bytes"] or 0) for one in rows if one["id"] is not None]
    return Recorded(rows[0]["is_wanted"], completed)
