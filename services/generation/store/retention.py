"""Which organisation has which plan, and what of its audio has been kept for long enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from services.generation.store.generations import generations

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

plans = Table(
    "organization_plans",
    _metadata,
    Column("org_id", _uuid, primary_key=True),
    Column("plan", Text),
    Column("revision", BigInteger),
    Column("since", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class KnownPlan:
    """The plan that an organisation has, as it was told at a time; what has a greater `revision` was told later."""

    org_id: UUID
    plan: str
    revision: int
    since: datetime


async def save_plans(session: AsyncSession, known: Sequence[KnownPlan]) -> None:
    """Write down plans; what was told earlier changes nothing."""
    for one in known:
        statement = upsert(plans).values(**asdict(one))
        new = statement.excluded
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=[plans.c.org_id],
                set_={"plan": new.plan, "revision": new.revision, "since": new.since},
                where=plans.c.revision < new.revision,
            )
        )


async def list_organizations(
    session: AsyncSession, plan: str, *, since: datetime, after: UUID | None, limit: int
) -> Sequence[UUID]:
    """Return up to `limit` organisations, behind `after`, that have had a plan `since` a time or longer."""
    statement = select(plans.c.org_id).where(plans.c.plan == plan, plans.c.since <= since)
    if after is not None:
        statement = statement.where(plans.c.org_id > after)
    return (await session.execute(statement.order_by(plans.c.org_id).limit(limit))).scalars().all()


_EXPIRED = """
    select r.id from renditions r
    where r.org_id = :org_id and r.status = 'completed' and r.created_at < :before
        and not exists (select from generations g where g.rendition_id = r.id
            and (g.created_at >= :before or g.status in ('pending', 'processing')))
"""
_TYPED = (bindparam("org_id", type_=_uuid), bindparam("before", type_=DateTime(timezone=True)))
_LIST_EXPIRED = text(f"{_EXPIRED} order by r.created_at limit :limit").bindparams(*_TYPED)
_IS_EXPIRED = text(f"{_EXPIRED} and r.id = :id").bindparams(*_TYPED, bindparam("id", type_=_uuid))


async def list_expired(session: AsyncSession, org_id: UUID, *, before: datetime, limit: int) -> Sequence[UUID]:
    """Return up to `limit` renditions that nobody of the organisation has asked for since `before`, oldest first."""
    which = {"org_id": org_id, "before": before, "limit": limit}
    return (await session.execute(_LIST_EXPIRED, which)).scalars().all()


async def is_expired(session: AsyncSession, org_id: UUID, rendition_id: UUID, *, before: datetime) -> bool:
    """Say whether a rendition, which is held, is one of those."""
    which = {"org_id": org_id, "before": before, "id": rendition_id}
    return (await session.execute(_IS_EXPIRED, which)).first() is not None


async def clear_audio(session: AsyncSession, rendition_id: UUID) -> None:
    """Let the generations that had a rendition's audio be without; the rendition goes after that."""
    statement = update(generations).where(generations.c.rendition_id == rendition_id)
    await session.execute(statement.values(object_key=None))
