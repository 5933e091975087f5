"""The speech queue: what is to be spoken next, whosever it is.

Start-time fair queueing: a piece of work is tagged with the amount of its organisation's work before it, counted from
where the queue stands, so that a long backlog of one organisation does not come before another's first request.
Taken work is leased: unless its worker says that it is still at it, it is free again after LEASE_SECONDS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from libs.ids import new_id
from libs.telemetry import current_trace_headers

LEASE_SECONDS = 10
INTERACTIVE, JOB = 0, 1
"""Priorities: somebody waits, or nobody does."""
UNLIMITED = 1000
"""Pieces of one organisation's work at the same time, where its plan does not say."""

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

queue = Table(
    "speech_queue",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("kind", Text),
    Column("rendition_id", _uuid),
    Column("cache_key", Text),
    Column("priority", SmallInteger),
    Column("worker", _uuid),
    Column("tries", Integer),
)


@dataclass(frozen=True, slots=True)
class NewWork:
    """Work to be queued. `characters` is what it costs; `payload` what whoever takes it needs.

    Nobody takes it before `after_seconds`.
    """

    org_id: UUID
    kind: str
    rendition_id: UUID
    priority: int
    characters: int
    most_at_once: int = UNLIMITED
    cache_key: str | None = None
    engine: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)  # Any: JSON, by kind of work
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """Work that a worker has taken. `tries` counts from 1; `deaths` counts engines that died of it."""

    id: UUID
    org_id: UUID
    kind: str
    rendition_id: UUID
    cache_key: str | None
    priority: int
    characters: int
    most_at_once: int
    tries: int
    deaths: int
    payload: dict[str, Any]  # Any: JSON, by kind of work
    trace: dict[str, str]
    waited_seconds: float


def tag_after(org_id: str, priority: str) -> str:
    """Return the SQL of the tag behind which new work comes: that of the organisation's own work, or of the queue."""
    return f"""greatest(
            (select max(q.tag) from speech_queue q where q.org_id = {org_id} and q.priority = {priority}),
            (select q.tag from speech_queue q where q.priority = {priority} order by tag limit 1),
            0
        )"""  # noqa: S608 - parameters and columns of ours


# What is there of the organisation's own work, or where the queue stands; then one after the other.
_ENQUEUE = Prepared(
    text(
        f"""
    insert into speech_queue
        (id, org_id, kind, rendition_id, cache_key, engine, priority, tag, characters, most_at_once, payload, trace,
            available_at)
    select (w->>'id')::uuid, (w->>'org_id')::uuid, w->>'kind', (w->>'rendition_id')::uuid, w->>'cache_key',
        w->>'engine',
        (w->>'priority')::smallint,
        {tag_after("(w->>'org_id')::uuid", "(w->>'priority')::smallint")}
        + sum((w->>'characters')::integer) over (partition by w->>'org_id' order by number),
        (w->>'characters')::integer, (w->>'most_at_once')::integer, w->'payload', :trace,
        now() + make_interval(secs => (w->>'after_seconds')::double precision)
    from jsonb_array_elements(:work) with ordinality as new (w, number)
    on conflict (org_id, cache_key) where kind = 'chunk'
        do update set priority = least(speech_queue.priority, excluded.priority)
    """  # noqa: S608 - columns of ours
    ).bindparams(bindparam("work", type_=JSONB), bindparam("trace", type_=JSONB))
)

_FINISH = Prepared(
    text("delete from speech_queue where id = :id and worker = :worker returning id").bindparams(
        bindparam("id", type_=_uuid), bindparam("worker", type_=_uuid)
    )
)
# What somebody else has locked is being finished or withdrawn right now: waiting for it could only end in a deadlock.
_RENEW = text(
    f"""
    with held as (
        select id from speech_queue where worker = :worker and id = any(:ids)
    ), free as (
        select id from speech_queue where worker = :worker and id = any(:ids) for update skip locked
    ), renewed as (
        update speech_queue q set available_at = clock_timestamp() + interval '{LEASE_SECONDS} seconds'
        where q.id = any(array(select id from free))
    )
    select id from held
    """  # noqa: S608 - a number of ours
).bindparams(bindparam("worker", type_=_uuid), bindparam("ids", type_=ARRAY(_uuid)))
_GIVE_BACK = text(
    """
    with free as (
        select id from speech_queue where id = any(:ids) and worker = :worker for update skip locked
    )
    update speech_queue q set worker = null, tries = greatest(tries - :untried, 0), deaths = deaths + :deaths,
        available_at = clock_timestamp() + make_interval(secs => :seconds)
    where q.id = any(array(select id from free))
    """
).bindparams(bindparam("worker", type_=_uuid), bindparam("ids", type_=ARRAY(_uuid)))


async def enqueue(session: AsyncSession, work: Sequence[NewWork]) -> None:
    """Queue work in its order, within the current trace; a chunk that is waiting already waits no longer than this."""
    if not work:
        return
    rows = [row_of(one) for one in work]
    await _ENQUEUE.fetch(session, work=rows, trace=current_trace_headers())


def row_of(work: NewWork) -> dict[str, Any]:  # Any: JSON
    """Return what is written of new work, without its trace."""
    return {
        "id": str(new_id()),
        "org_id": str(work.org_id),
        "kind": work.kind,
        "rendition_id": str(work.rendition_id),
        "cache_key": work.cache_key,
        "engine": work.engine,
        "priority": work.priority,
        "characters": max(1, work.characters),
        "most_at_once": work.most_at_once,
        "payload": work.payload,
        "after_seconds": work.after_seconds,
    }


async def finish(session: AsyncSession, work: Work, worker: UUID) -> bool:
    """Remove work that is done; False when it was withdrawn, or another worker has it now."""
    return await _FINISH.fetch_one(session, id=work.id, worker=worker) is not None


async def lock(session: AsyncSession, work_id: UUID) -> None:
    """Wait until nobody else is changing a piece of work, if it is there."""
    await session.execute(select(queue.c.id).where(queue.c.id == work_id).with_for_update())


async def is_held(session: AsyncSession, work: Work, worker: UUID) -> bool:
    """Say whether work is still the worker's."""
    statement = select(exists().where(queue.c.id == work.id, queue.c.worker == worker))
    return bool((await session.execute(statement)).scalar_one())


async def renew(session: AsyncSession, worker: UUID, ids: Sequence[UUID]) -> set[UUID]:
    """Keep work for another LEASE_SECONDS; return what the worker still has."""
    rows = await session.execute(_RENEW, {"worker": worker, "ids": list(ids)})
    return {row.id for row in rows}


async def give_back(
    session: AsyncSession,
    worker: UUID,
    ids: Sequence[UUID],
    *,
    after_seconds: float = 0.0,
    untried: bool = False,
    died: bool = False,
) -> None:
    """Let others take work after a while; `untried` work counts as not taken, of `died` work an engine died."""
    await session.execute(
        _GIVE_BACK,
        {"ids": list(ids), "worker": worker, "seconds": after_seconds, "untried": int(untried), "deaths": int(died)},
    )


# What was taken a moment ago its worker may not have heard of yet.
_GIVE_BACK_UNHEARD = text(
    f"""
    with free as (
        select id from speech_queue where worker = :worker and id <> all(:ids)
            and available_at < clock_timestamp() + interval '{LEASE_SECONDS - 2} seconds' for update skip locked
    )
    update speech_queue q set worker = null, available_at = clock_timestamp()
    where q.id = any(array(select id from free)) returning q.id
    """  # noqa: S608 - a number of ours
).bindparams(bindparam("worker", type_=_uuid), bindparam("ids", type_=ARRAY(_uuid)))


async def give_back_unheard(session: AsyncSession, worker: UUID, ids: Sequence[UUID]) -> int:
    """Let others take what a worker was entrusted with without hearing of it: it has `ids`. Return how much that is.

    It counts as tried: what fails each time in such a way that not even this can be written down comes here, too.
    """
    rows = await session.execute(_GIVE_BACK_UNHEARD, {"worker": worker, "ids": list(ids)})
    return len(rows.all())


_LEAVE_ALL = text(
    """
    with free as (select id from speech_queue where worker = :worker for update skip locked)
    update speech_queue q set worker = null, tries = greatest(tries - 1, 0), available_at = clock_timestamp()
    where q.id = any(array(select id from free))
    """
).bindparams(bindparam("worker", type_=_uuid))


async def give_back_all(session: AsyncSession, worker: UUID) -> None:
    """Let others take at once what a worker still has, and what it was given without hearing of it, as untried."""
    await session.execute(_LEAVE_ALL, {"worker": worker})


async def is_queued(session: AsyncSession, rendition_id: UUID) -> bool:
    """Say whether there is work for a rendition."""
    statement = select(exists().where(queue.c.rendition_id == rendition_id))
    return bool((await session.execute(statement)).scalar_one())


async def withdraw(session: AsyncSession, rendition_id: UUID) -> None:
    """Remove what is queued for a rendition alone."""
    await session.execute(delete(queue).where(queue.c.rendition_id == rendition_id, queue.c.kind != "chunk"))


# What a completed text has and is queued was lost, and is to be spoken again. Found key by key: as joins, PostgreSQL
# compares all with all where its statistics say nothing of what is there now, as of a queue that was empty.
_WITHDRAW_CHUNKS = text(
    """
    delete from speech_queue where id = any(array(
        select (
            select q.id from speech_queue q
            where q.kind = 'chunk' and q.org_id = :org_id and q.cache_key = c.cache_key limit 1
        ) from generation_chunks c where c.rendition_id = :id and (
            select true from generation_chunks o
            where o.org_id = :org_id and o.cache_key = c.cache_key and o.rendition_id <> :id
                and (select r.status from renditions r where r.id = o.rendition_id) in ('pending', 'completed')
            limit 1) is null))
    returning cache_key
    """
).bindparams(bindparam("org_id", type_=_uuid), bindparam("id", type_=_uuid))


async def withdraw_chunks(session: AsyncSession, org_id: UUID, rendition_id: UUID) -> list[str]:
    """Remove the queued chunks that only this rendition wants; return their keys."""
    rows = await session.execute(_WITHDRAW_CHUNKS, {"org_id": org_id, "id": rendition_id})
    return [row.cache_key for row in rows]
