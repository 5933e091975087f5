"""Accepting a short text: its rendition, its generation and its work, in one statement."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from libs.telemetry import current_trace_headers
from services.generation.domain.requests import Generation, Request, Voice
from services.generation.domain.speech import Spec
from services.generation.store.generations import GIVEN, NewGeneration, generation_row, generations, new_generation
from services.generation.store.queue import LEASE_SECONDS, NewWork, row_of, tag_after
from services.generation.store.renditions import renditions

_uuid = PgUuid(as_uuid=True)
_WORK = ("kind", "engine", "priority", "characters", "most_at_once", "payload", "trace")
_WORK_TYPES = {"work_kind": Text(), "work_engine": Text(), "work_payload": JSONB(), "work_trace": JSONB()}

_ACCEPT = Prepared(
    text(
        f"""
    with rendition as (
        insert into renditions (id, org_id, fingerprint, text, spec, mode, status, chunks_done)
        values (:id, :org_id, :fingerprint, :text, :spec, :mode, 'pending', 0)
        on conflict (org_id, fingerprint) do nothing returning id
    ), generation as (
        insert into generations ({", ".join(GIVEN)})
        select {", ".join(f":{name}" for name in GIVEN)} from rendition
    ), work as (
        insert into speech_queue (id, rendition_id, org_id, kind, engine, priority, tag, characters, most_at_once,
            payload, trace, worker, tries, available_at)
        select :work_id, id, :org_id, :work_kind, :work_engine, cast(:work_priority as smallint),
            {tag_after(":org_id", "cast(:work_priority as smallint)")} + cast(:work_characters as integer),
            cast(:work_characters as integer), cast(:work_most_at_once as integer), :work_payload, :work_trace,
            :worker, case when cast(:worker as uuid) is null then 0 else 1 end,
            case when cast(:worker as uuid) is null then now()
                else clock_timestamp() + interval '{LEASE_SECONDS} seconds' end
        from rendition
    )
    select id from rendition
    """  # noqa: S608 - names of ours
    ).bindparams(
        *(bindparam(name, type_=generations.c[name].type) for name in GIVEN),
        bindparam("fingerprint", type_=Text),
        bindparam("spec", type_=renditions.c.spec.type),
        bindparam("work_id", type_=_uuid),
        bindparam("worker", type_=_uuid),
        *(bindparam(name, type_=kind) for name, kind in _WORK_TYPES.items()),
    )
)


async def insert_short(
    session: AsyncSession,
    new: NewGeneration,
    request: Request,
    voice: Voice,
    spec: Spec,
    work_id: UUID,
    work: NewWork,
    *,
    worker: UUID | None,
    fingerprint: str | None,
) -> Generation | None:
    """Write a pending generation with a new rendition of its id and with the work for it, which `worker` has already.

    None, and nothing is written, when an equal request was first.
    """
    row = generation_row(new, request, voice, language=spec.language)
    of_work = row_of(work) | {"trace": current_trace_headers()}
    values = {f"work_{name}": of_work[name] for name in _WORK} | {"work_id": work_id, "worker": worker}
    values |= row | {"fingerprint": fingerprint, "spec": spec.to_json()}
    if await _ACCEPT.fetch_one(session, **values) is None:
        return None
    return new_generation(row)
