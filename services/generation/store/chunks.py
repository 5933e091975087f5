"""Chunks: the pieces that renditions are made of, whose speech texts share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from libs.ids import new_id
from services.generation.domain.requests import Mode
from services.generation.store.queue import Work
from services.generation.store.renditions import Rendition

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

chunks = Table(
    "generation_chunks",
    _metadata,
    Column("rendition_id", _uuid, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("cache_key", Text),
    Column("spoken", Boolean),
)


STEPS = 20
"""In how many parts the progress of a long text is told."""


def locking(org_id: UUID, cache_key: str) -> str:
    """Return the statement that keeps a piece as it is until the transaction ends; whoever finishes it begins so."""
    digest = bytes.fromhex(cache_key).hex()
    return f"select from speech_cache where org_id = '{org_id}' and cache_key = '{digest}' for update"


_DELETE_CHUNKS = text(
    """
    with gone as (delete from generation_chunks where rendition_id = :id returning org_id, cache_key)
    select distinct org_id, cache_key from gone order by cache_key
    """
).bindparams(bindparam("id", type_=_uuid))


_DELETE_UNWANTED = text(
    """
    delete from speech_cache s where s.org_id = :org_id and s.cache_key = any(:keys)
    and not exists (select from generation_chunks c where c.org_id = s.org_id and c.cache_key = s.cache_key)
    returning s.object_key
    """
).bindparams(bindparam("org_id", type_=_uuid), bindparam("keys", type_=ARRAY(Text)))


async def release_chunks(session: AsyncSession, rendition: Rendition) -> list[str]:
    """Remove a rendition's chunks, which are locked; return the objects of those that nobody else has."""
    cache_keys = [row.cache_key for row in await session.execute(_DELETE_CHUNKS, {"id": rendition.id})]
    if not cache_keys:
        return []
    which = {"org_id": rendition.org_id, "keys": cache_keys}
    return [row.object_key for row in await session.execute(_DELETE_UNWANTED, which) if row.object_key]


_WANTING = text(
    """
    select distinct rendition_id from generation_chunks where org_id = :org_id and cache_key = :cache_key
    order by rendition_id
    """
).bindparams(bindparam("org_id", type_=_uuid))


async def list_wanting(session: AsyncSession, org_id: UUID, cache_key: str) -> list[UUID]:
    """Return the renditions that a piece belongs to."""
    rows = await session.execute(_WANTING, {"org_id": org_id, "cache_key": cache_key})
    return [row.rendition_id for row in rows]


# Its renditions are locked in one order, so that two workers that finish pieces of the same texts do not wait for each
# other; the try belongs to the rendition for which the piece was queued, if that still is there.
_FINISH = Prepared(
    text(
        """
    with gone as (
        delete from speech_queue where id = :work_id and worker = :worker returning id
    ), spoken as (
        update speech_cache
        set object_key = :object_key, samples = :samples, sha256 = :sha256, applied = :applied
        where org_id = :org_id and cache_key = :cache_key and object_key is null and exists (select from gone)
        returning cache_key
    ), done as (
        select rendition_id, count(*) as count from generation_chunks
        where org_id = :org_id and cache_key = :cache_key and exists (select from spoken) group by rendition_id
    ), locked as (
        select r.id from renditions r where r.id in (select rendition_id from done) order by r.id for update
    ), advanced as (
        update renditions r set chunks_done = chunks_done + done.count, applied = :applied
        from done join locked on locked.id = done.rendition_id where r.id = locked.id
        returning r.id, r.org_id, r.mode, r.status, r.chunks_done, r.chunks_total,
            r.chunks_done = r.chunks_total as is_complete,
            r.chunks_done * :steps / r.chunks_total > (r.chunks_done - done.count) * :steps / r.chunks_total as is_step
    ), tried as (
        insert into generation_attempts (id, rendition_id, org_id, model_id, status, timings, settings)
        select :attempt_id, a.id, a.org_id, :model_id, 'rendered', :timings, :settings
        from advanced a where a.id = :rendition_id
    )
    select exists (select from spoken) as is_spoken, a.* from (select 1) one left join advanced a on true
    """
    ).bindparams(
        *(bindparam(name, type_=_uuid) for name in ("work_id", "worker", "org_id", "attempt_id", "rendition_id")),
        *(bindparam(name, type_=Text) for name in ("cache_key", "object_key", "sha256", "model_id")),
        *(bindparam(name, type_=JSONB) for name in ("applied", "timings", "settings")),
        bindparam("samples", type_=BigInteger),
        bindparam("steps", type_=BigInteger),
    )
)


# A completed text keeps its pieces, even one that was lost: it could not be joined anew without.
_DROP_UNSPOKEN = text(
    """
    delete from generation_chunks c using renditions r
    where r.id = c.rendition_id and r.status <> 'completed' and c.org_id = :org_id and c.cache_key = any(:keys)
    """
).bindparams(bindparam("org_id", type_=_uuid), bindparam("keys", type_=ARRAY(Text)))


async def drop_unspoken(session: AsyncSession, org_id: UUID, cache_keys: Sequence[str]) -> None:
    """Forget pieces that nobody will speak any more, so that the next who wants one has it spoken.

    Whatever else has such a piece ended before: were it left there, the piece would look as if somebody spoke it.
    """
    if cache_keys:
        which = {"org_id": org_id, "keys": list(cache_keys)}
        await session.execute(_DROP_UNSPOKEN, which)
        await session.execute(_DELETE_UNWANTED, which)


@dataclass(frozen=True, slots=True)
class Advanced:
    """A rendition that got a chunk: whether it has all of them now, or passed one of `STEPS`, and is still wanted."""

    id: UUID
    org_id: UUID
    mode: Mode
    status: str
    chunks_done: int
    chunks_total: int
    is_complete: bool
    is_step: bool


@dataclass(frozen=True, slots=True)
class Spoken:
    """What came of speaking a piece: where it is kept, as what, how long it is, and how it went, in seconds."""

    object_key: str
    sha256: str
    samples: int
    applied: dict[str, Any]  # Any: the engine's own values
    model_id: str
    timings: dict[str, float]


async def finish_chunk(session: AsyncSession, work: Work, worker: UUID, spoken: Spoken) -> list[Advanced] | None:
    """Write down that a piece is spoken, which is locked, and remove the work.

    Return the renditions that it brought on; None when nobody wants it, or another worker has the work now.
    """
    rows = await _FINISH.fetch(
        session,
        work_id=work.id,
        worker=worker,
        org_id=work.org_id,
        cache_key=work.cache_key,
        object_key=spoken.object_key,
        sha256=spoken.sha256,
        samples=spoken.samples,
        applied=spoken.applied,
        attempt_id=new_id(),
        rendition_id=work.rendition_id,
        model_id=spoken.model_id,
        timings=spoken.timings,
        settings={**spoken.applied, "characters": work.characters},
        steps=STEPS,
    )
    if not rows[0]["is_spoken"]:
        return None
    names = Advanced.__slots__
    return [Advanced(**{name: row[name] for name in names}) for row in rows if row["id"] is not None]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a rendition; `object_key` and `samples` are there once it is spoken.

    So is the object's `sha256` (hexadecimal), unless an earlier release spoke it.
    """

    idx: int
    first_character: int
    characters: int
    reading: str
    origins: Sequence[int] | None
    object_key: str | None
    samples: int | None
    sha256: str | None
    cache_key: str


_CHUNKS = text(
    """
    select c.idx, c.first_character, c.characters, c.reading, c.origins, s.object_key, s.samples,
        s.sha256, s.cache_key
    from generation_chunks c join speech_cache s using (org_id, cache_key)
    where c.rendition_id = :id and c.idx >= :since order by c.idx limit :limit
    """
).bindparams(bindparam("id", type_=_uuid))


async def list_chunks(session: AsyncSession, rendition_id: UUID, *, since: int = 0, limit: int = 100) -> list[Chunk]:
    """Return up to `limit` pieces of a rendition in their order, from the one with number `since` on."""
    rows = await session.execute(_CHUNKS, {"id": rendition_id, "since": since, "limit": limit})
    return [Chunk(**row._asdict()) for row in rows]


async def total_samples(session: AsyncSession, rendition_id: UUID) -> int:
    """Return how many samples all pieces of a rendition have together."""
    statement = text(
        "select coalesce(sum(s.samples), 0) from generation_chunks c join speech_cache s using (org_id, cache_key) "
        "where c.rendition_id = :id"
    ).bindparams(bindparam("id", type_=_uuid))
    return int((await session.execute(statement, {"id": rendition_id})).scalar_one())


async def list_readings(session: AsyncSession, rendition_id: UUID) -> list[str]:
    """Return the text of each piece of a rendition in their order, as far as it is in the text."""
    statement = text(
        "select substr(r.text, c.first_character + 1, c.characters) as piece from generation_chunks c "
        "join renditions r on r.id = c.rendition_id where r.id = :id order by c.idx"
    ).bindparams(bindparam("id", type_=_uuid))
    return [row.piece for row in await session.execute(statement, {"id": rendition_id})]
