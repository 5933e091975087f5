"""Chunks: the pieces that renditions are made of, whose speech texts share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from services.generation.domain.requests import Mode
from services.generation.domain.speech import Piece, Spec
from services.generation.store.renditions import Rendition, renditions

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


_LOCK_CHUNK = text("select from speech_cache where org_id = :org_id and cache_key = :cache_key for update").bindparams(
    bindparam("org_id", type_=_uuid)
)


async def lock_chunk(session: AsyncSession, org_id: UUID, cache_key: str) -> None:
    """Keep a piece as it is until the transaction ends; whoever finishes it does this before anything else."""
    await session.execute(_LOCK_CHUNK, {"org_id": org_id, "cache_key": cache_key})


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


_WANT = text(
    """
    insert into speech_cache (org_id, cache_key) select :org_id, unnest(cast(:keys as text[]))
    on conflict (org_id, cache_key) do update set updated_at = now()
    returning cache_key, object_key, samples, (xmax = 0) as is_new
    """
).bindparams(bindparam("org_id", type_=_uuid), bindparam("keys", type_=ARRAY(Text)))
_INSERT_CHUNKS = text(
    """
    insert into generation_chunks (rendition_id, idx, org_id, first_character, characters, reading, origins, cache_key,
        spoken)
    select :id, idx - 1, :org_id, chunk->'first', chunk->'characters', chunk->>'reading',
        case when chunk->'origins' <> 'null' then
            array(select jsonb_array_elements_text(chunk->'origins')::integer) end,
        chunk->>'cache_key', (chunk->'spoken')::boolean
    from jsonb_array_elements(:chunks) with ordinality as c (chunk, idx)
    """.replace("chunk->'first'", "(chunk->'first')::integer").replace(
        "chunk->'characters'", "(chunk->'characters')::integer"
    )
).bindparams(bindparam("id", type_=_uuid), bindparam("org_id", type_=_uuid), bindparam("chunks", type_=JSONB))


@dataclass(frozen=True, slots=True)
class Missing:
    """A piece that has to be spoken: its key, what the engine reads, and how many characters of the text that is."""

    cache_key: str
    reading: str
    characters: int


async def plan_chunks(
    session: AsyncSession, rendition: Rendition, spec: Spec, pieces: Sequence[Piece]
) -> list[Missing]:
    """Write down the pieces of a rendition; return those that nobody has spoken or is about to speak."""
    keys = [spec.cache_key(piece.reading.text) for piece in pieces]
    # A rendition that is made anew: what it was made of before stays in the cache until it is wanted again below, and
    # what was spoken for it is still to be paid for, for it was not completed.
    former = delete(chunks).where(chunks.c.rendition_id == rendition.id).returning(chunks.c.cache_key, chunks.c.spoken)
    unpaid = {row.cache_key for row in await session.execute(former) if row.spoken}
    wanted = {"org_id": rendition.org_id, "keys": sorted(set(keys))}
    states = {row.cache_key: row for row in await session.execute(_WANT, wanted)}
    fresh = {key for key, state in states.items() if state.is_new}
    missing: list[Missing] = []
    paid_for = 0
    rows = []
    for piece, key in zip(pieces, keys, strict=True):
        is_new, spoken = key in fresh, key in fresh or key in unpaid
        fresh.discard(key)
        unpaid.discard(key)
        paid_for += piece.characters if spoken else 0
        if is_new:
            missing.append(Missing(key, piece.reading.text, piece.characters))
        same = list(piece.reading.origins) == list(range(piece.characters))
        rows.append(
            {
                "first": piece.first,
                "characters": piece.characters,
                "reading": piece.reading.text,
                "origins": None if same else list(piece.reading.origins),
                "cache_key": key,
                "spoken": spoken,
            }
        )
    await session.execute(_INSERT_CHUNKS, {"id": rendition.id, "org_id": rendition.org_id, "chunks": rows})
    planned = update(renditions).where(renditions.c.id == rendition.id)
    await session.execute(
        planned.values(
            chunks_total=len(pieces),
            chunks_done=sum(states[key].object_key is not None for key in keys),
            characters_spoken=paid_for,
        )
    )
    return missing


_FINISH_CHUNK = text(
    """
    update speech_cache set object_key = :object_key, samples = :samples, applied = :applied
    where org_id = :org_id and cache_key = :cache_key and object_key is null returning cache_key
    """
).bindparams(bindparam("org_id", type_=_uuid), bindparam("applied", type_=JSONB))
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


_LOCK_WANTING = text(
    """
    select r.id from renditions r where r.id in (
        select c.rendition_id from generation_chunks c where c.org_id = :org_id and c.cache_key = :cache_key)
    order by r.id for update
    """
).bindparams(bindparam("org_id", type_=_uuid))
_ADVANCE = text(
    """
    update renditions r set chunks_done = chunks_done + done.count, applied = :applied
    from (select rendition_id, count(*) as count from generation_chunks
        where org_id = :org_id and cache_key = :cache_key group by rendition_id) done
    where r.id = done.rendition_id
    returning r.id, r.org_id, r.mode, r.status, r.chunks_done = r.chunks_total as is_complete
    """
).bindparams(bindparam("org_id", type_=_uuid), bindparam("applied", type_=JSONB))


_DROP_UNSPOKEN = text("delete from generation_chunks where org_id = :org_id and cache_key = any(:keys)").bindparams(
    bindparam("org_id", type_=_uuid), bindparam("keys", type_=ARRAY(Text))
)


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
    """A rendition that got a chunk: whether it has all of them now, and is still wanted."""

    id: UUID
    org_id: UUID
    mode: Mode
    status: str
    is_complete: bool


async def finish_chunk(
    session: AsyncSession, org_id: UUID, cache_key: str, *, object_key: str, samples: int, applied: dict[str, Any]
) -> list[Advanced] | None:
    """Write down that a piece is spoken; return the renditions that it brought on, None when nobody wants it."""
    row = {"org_id": org_id, "cache_key": cache_key, "object_key": object_key, "samples": samples, "applied": applied}
    if (await session.execute(_FINISH_CHUNK, row)).first() is None:
        return None
    which = {"org_id": org_id, "cache_key": cache_key}
    # In one order, so that two workers that finish chunks of the same texts do not wait for each other.
    await session.execute(_LOCK_WANTING, which)
    advanced = await session.execute(_ADVANCE, which | {"applied": applied})
    return [Advanced(row.id, row.org_id, row.mode, row.status, row.is_complete) for row in advanced]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a rendition; `object_key` and `samples` are there once it is spoken."""

    idx: int
    first_character: int
    characters: int
    reading: str
    origins: Sequence[int] | None
    object_key: str | None
    samples: int | None


_CHUNKS = text(
    """
    select c.idx, c.first_character, c.characters, c.reading, c.origins, s.object_key, s.samples
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
