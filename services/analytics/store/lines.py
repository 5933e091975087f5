"""The lines of the ledger, in their order, some thousand at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Date, DateTime, Integer, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain.lines import Line, LinesQuery
from services.analytics.store.tables import uuid_type

# Days are compared as the zone's calendar has them; the bounds on the time are for the index.
_LIST = Prepared(
    text(
        """
        select id, created_at, unit, quantity, resource_id, voice_id, key_id, user_id, format from usage_metrics
        where org_id = :org and (created_at, id) > (:after_at, :after_id)
            and created_at >= (cast(:first as date) - 2)::timestamp at time zone 'UTC'
            and created_at < (cast(:last as date) + 3)::timestamp at time zone 'UTC'
            and (created_at at time zone :zone)::date between :first and :last
            and (cast(:voice as uuid) is null or voice_id = :voice)
            and (cast(:key as uuid) is null or key_id = :key)
            and (cast(:user as uuid) is null or user_id = :user)
            and (cast(:format as text) is null or format = :format)
            and (cast(:unit as text) is null or unit = :unit)
        order by created_at, id limit :most
        """
    ).bindparams(
        *(bindparam(name, type_=uuid_type) for name in ("org", "voice", "key", "user", "after_id")),
        *(bindparam(name, type_=Text) for name in ("zone", "format", "unit")),
        *(bindparam(name, type_=Date) for name in ("first", "last")),
        bindparam("after_at", type_=DateTime(timezone=True)),
        bindparam("most", type_=Integer),
    )
)
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC), UUID(int=0)


async def list_lines(
    session: AsyncSession, org_id: UUID, query: LinesQuery, first: date, last: date, *, after: Line | None, most: int
) -> Sequence[Line]:
    """Return the next lines behind `after`, oldest first."""
    after_at, after_id = (after[1], after[0]) if after else _BEGINNING
    wanted = query.wanted
    rows = await _LIST.fetch(
        session,
        org=org_id,
        after_at=after_at,
        after_id=after_id,
        first=first,
        last=last,
        zone=query.zone,
        voice=wanted.voice_id,
        key=wanted.key_id,
        user=wanted.user_id,
        format=wanted.format,
        unit=wanted.unit,
        most=most,
    )
    return [cast("Line", tuple(row)) for row in rows]
