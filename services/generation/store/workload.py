"""How much waits to be spoken, and which workers there are to speak it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from services.generation.domain.load import Pace, Waiting, together

_uuid = PgUuid(as_uuid=True)

_BACKLOG = text(
    """
    select org_id, priority, sum(characters)::bigint as characters, count(*) as pieces
    from speech_queue group by org_id, priority
    """
)
_PACES = text(
    """
    select piece_seconds, characters_per_second from speech_workers where seen_at > now() - interval '10 seconds'
    """
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits or is being spoken, by organisation and priority, how many workers there are, and their pace."""

    waiting: dict[tuple[UUID, int], Waiting]
    workers: int
    pace: Pace | None


async def get_backlog(session: AsyncSession) -> Backlog:
    """Return how much there is to do, and how fast that goes."""
    waiting = {
        (row.org_id, row.priority): Waiting(row.pieces, row.characters) for row in await session.execute(_BACKLOG)
    }
    paces = [Pace(row.piece_seconds, 1 / row.characters_per_second) for row in await session.execute(_PACES)]
    return Backlog(waiting, len(paces), together(paces) if paces else None)


_SEEN = text(
    """
    insert into speech_workers (id, engine_processes, piece_seconds, characters_per_second)
    values (:id, :processes, :piece_seconds, :characters_per_second)
    on conflict (id) do update set piece_seconds = excluded.piece_seconds,
        characters_per_second = excluded.characters_per_second, seen_at = now()
    """
).bindparams(bindparam("id", type_=_uuid))


async def save_worker(session: AsyncSession, worker: UUID, *, processes: int, pace: Pace) -> None:
    """Write down that a worker is there, and how fast it speaks."""
    seen = {"piece_seconds": pace.piece_seconds, "characters_per_second": 1 / pace.character_seconds}
    await session.execute(_SEEN, {"id": worker, "processes": processes, **seen})


async def delete_workers(session: AsyncSession, worker: UUID) -> None:
    """Forget a worker, and all that were not seen for long."""
    statement = text("delete from speech_workers where id = :id or seen_at < now() - interval '1 hour'").bindparams(
        bindparam("id", type_=_uuid)
    )
    await session.execute(statement, {"id": worker})
