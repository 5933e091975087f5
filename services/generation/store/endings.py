"""How generations end: completed, failed or canceled; and begin again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Integer, any_, bindparam, case, null, or_, select, update
from sqlalchemy import func as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.generation.domain.requests import Generation
from services.generation.store.generations import STORED, UNFINISHED, generation_of, generations
from services.generation.store.renditions import renditions

_uuid = PgUuid(as_uuid=True)

# What a statement that changes generations returns of them.
_RETURNED = [
    *STORED,
    generations.c.status,
    null().cast(Integer).label("chunks_total"),
    null().cast(Integer).label("chunks_done"),
]


def _is_unfinished(table: FromClause) -> ColumnElement[bool]:
    return or_(*(table.c.status == status for status in UNFINISHED))


_waiting = generations.alias("waiting")
# The first of those who wait for it pays for what had to be spoken: who asked before them has given up or failed.
_PAYS = (
    select(_waiting.c.id)
    .where(_waiting.c.rendition_id == renditions.c.id, _is_unfinished(_waiting))
    .order_by(_waiting.c.created_at, _waiting.c.id)
    .limit(1)
    .correlate(renditions)
    .scalar_subquery()
)
_COMPLETE = Prepared(
    update(generations)
    .where(
        generations.c.rendition_id == any_(bindparam("ids", type_=ARRAY(_uuid))),
        generations.c.rendition_id == renditions.c.id,
        renditions.c.status == "completed",
        _is_unfinished(generations),
    )
    .values(
        status="completed",
        duration_seconds=renditions.c.duration_seconds,
        object_key=renditions.c.object_key,
        applied=renditions.c.applied,
        characters_spoken=case(
            (generations.c.id == _PAYS, bindparam("unpaid", type_=Integer) * renditions.c.characters_spoken), else_=0
        ),
        updated_at=sql.now(),
    )
    .returning(*_RETURNED, renditions.c.size_bytes)
)


async def complete_generations(
    session: AsyncSession, rendition_ids: Sequence[UUID], *, is_paid: bool = False
) -> list[tuple[Generation, int]]:
    """Complete the unfinished generations of these renditions; return them with the bytes of their audio.

    `is_paid`: others, who were completed before, have paid for what had to be spoken.
    """
    rows = await _COMPLETE.fetch(session, ids=list(rendition_ids), unpaid=0 if is_paid else 1)
    return [(generation_of(row), row["size_bytes"] or 0) for row in rows]


async def fail_generations(
    session: AsyncSession, rendition_id: UUID, *, code: str, reason: str, even_completed: bool = False
) -> list[tuple[UUID, UUID]]:
    """Fail the unfinished generations of a rendition, or also the completed ones; return them as (id, organisation)."""
    failing = (*UNFINISHED, "completed") if even_completed else UNFINISHED
    failed = {"status": "failed", "error_code": code, "error": reason}
    nothing = {"object_key": None, "duration_seconds": None, "characters_spoken": None}
    statement = (
        update(generations)
        .where(generations.c.rendition_id == rendition_id, generations.c.status.in_(failing))
        .values(failed | nothing)
        .returning(generations.c.id, generations.c.org_id)
    )
    return [(row.id, row.org_id) for row in await session.execute(statement)]


async def cancel_generation(session: AsyncSession, generation_id: UUID) -> None:
    """Write down that a generation is not wanted any more."""
    await session.execute(update(generations).where(generations.c.id == generation_id).values(status="canceled"))


async def fail_one(session: AsyncSession, generation_id: UUID, *, code: str, reason: str) -> None:
    """Write down that a generation fails, whatever becomes of its rendition."""
    failed = {"status": "failed", "error_code": code, "error": reason}
    await session.execute(update(generations).where(generations.c.id == generation_id).values(failed))


async def revive_generation(session: AsyncSession, generation_id: UUID) -> None:
    """Let a generation that failed or was canceled be pending again."""
    pending = {"status": "pending", "error_code": None, "error": None, "tries": generations.c.tries + 1}
    await session.execute(update(generations).where(generations.c.id == generation_id).values(pending))
