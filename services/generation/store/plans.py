"""Writing down which pieces a rendition is made of, and which of them are still to be spoken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.generation.domain.speech import Piece, Spec
from services.generation.store.renditions import Rendition

_uuid = PgUuid(as_uuid=True)

# A rendition that is made anew: what it was made of before stays in the cache until it is wanted again here, and what
# was spoken for it is still to be paid for, for it was not completed.
_WANT = Prepared(
    text(
        """
    with former as (
        delete from generation_chunks where rendition_id = :id returning cache_key, spoken
    ), wanted as (
        insert into speech_cache (org_id, cache_key) select :org_id, unnest(cast(:keys as text[]))
        on conflict (org_id, cache_key) do update set updated_at = now()
        returning cache_key, object_key, (xmax = 0) as is_new
    )
    select cache_key, object_key is not null as is_there,
        -- Of a piece that was lost it may be that nobody speaks it any more.
        is_new or (object_key is null and not exists (select from speech_queue q
            where q.kind = 'chunk' and q.org_id = :org_id and q.cache_key = w.cache_key)) as is_new,
        f.cache_key is not null as is_unpaid
    from wanted w left join (select distinct cache_key from former where spoken) f using (cache_key)
    """
    ).bindparams(bindparam("id", type_=_uuid), bindparam("org_id", type_=_uuid), bindparam("keys", type_=ARRAY(Text)))
)
_PLAN = Prepared(
    text(
        """
    with planned as (
        insert into generation_chunks (rendition_id, idx, org_id, first_character, characters, reading, origins,
            cache_key, spoken)
        select :id, idx - 1, :org_id, cast(chunk->'first' as integer), cast(chunk->'characters' as integer),
            chunk->>'reading',
            case when chunk->'origins' <> 'null' then
                array(select cast(jsonb_array_elements_text(chunk->'origins') as integer)) end,
            chunk->>'cache_key', cast(chunk->'spoken' as boolean)
        from jsonb_array_elements(:chunks) with ordinality as c (chunk, idx)
    )
    update renditions set chunks_total = :total, chunks_done = :done, characters_spoken = :paid where id = :id
    """
    ).bindparams(
        bindparam("id", type_=_uuid),
        bindparam("org_id", type_=_uuid),
        bindparam("chunks", type_=JSONB),
        bindparam("total", type_=Integer),
        bindparam("done", type_=Integer),
        bindparam("paid", type_=Integer),
    )
)


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
    wanted = {"id": rendition.id, "org_id": rendition.org_id, "keys": sorted(set(keys))}
    states = {row["cache_key"]: row for row in await _WANT.fetch(session, **wanted)}
    fresh = {key for key, state in states.items() if state["is_new"]}
    unpaid = {key for key, state in states.items() if state["is_unpaid"]}
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
    done = sum(states[key]["is_there"] for key in keys)
    which = {"id": rendition.id, "org_id": rendition.org_id}
    await _PLAN.fetch(session, **which, chunks=rows, total=len(pieces), done=done, paid=paid_for)
    return missing
