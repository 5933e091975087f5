"""How much waits to be spoken, and which workers there are to speak it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

_uuid = PgUuid(as_uuid=True)

_BACKLOG = text(
    """
    select org_id, priority, sum(characters)::bigint as characters, count(*) as pieces
    from speech_queue group by org_id, priority
    """
)
_PACE = text(
    """
    select coalesce(sum(characters_per_second), 0)::double precision as pace, count(*) as workers
    from speech_workers where seen_at > now() - interval '10 seconds'
    """
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits or is being spoken: characters by organisation and priority, pieces by priority; and the pace."""

    characters: dict[tuple[UUID, int], int]
    pieces: dict[int, int]
    pace: float
    workers: int


async def get_backlog(session: AsyncSession) -> Backlog:
    """Return how much there is to do, and how fast that goes."""
    characters: dict[tuple[UUID, int], int] = {}
    pieces: dict[int, int] = {}
    for row in await session.execute(_BACKLOG):
        characters[row.org_id, row.priority] = row.characters
        pieces[row.priority] = pieces.get(row.priority, 0) + row.pieces
    pace = (await session.execute(_PACE)).one()
    return Backlog(characters, pieces, pace.pace, pace.workers)


_SEEN = text(
    """
    insert into speech_workers (id, engine_processes, characters_per_second) values (:id, :processes, :pace)
    on conflict (id) do update set characters_per_second = excluded.characters_per_second, seen_at = now()
    """
).bindparams(bindparam("id", type_=_uuid))


async def save_worker(session: AsyncSession, worker: UUID, *, processes: int, pace: float) -> None:
    """Write down that a worker is there, and how many characters it speaks in a second."""
    await session.execute(_SEEN, {"id": worker, "processes": processes, "pace": pace})


async def delete_workers(session: AsyncSession, worker: UUID) -> None:
    """Forget a worker, and all that were not seen for long."""
    statement = text("delete from speech_workers where id = :id or seen_at < now() - interval '1 hour'").bindparams(
        bindparam("id", type_=_uuid)
    )
    await session.execute(statement, {"id": worker})
