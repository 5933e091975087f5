"""Where sums are not what the ledger says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Days by themselves: what one has too much and another too little, their month does not show.
_DIFFERENCES = text(
    """
    with first as (select greatest(:since ::date, usage_first_month()) as month)
    select found.* from first, usage_differences(first.month) as found where found.what <> 'days'
    union all
    select 'days', org_id, date_trunc('month', day::timestamp)::date, unit, sum(kept), sum(counted)
    from first, usage_day_differences(first.month) group by 1, 2, 3, 4
    union all
    select 'quarters', org_id, date_trunc('month', begins_at at time zone 'UTC')::date,
        case unit when 'generations' then 'requests' else unit end, sum(kept), sum(counted)
    from first, usage_quarter_differences(first.month) group by 1, 2, 3, 4
    """
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A sum, `kept` as it is and as it is `counted`: None where there is none.

    `what` is totals, days, quarters, reservations or levels; levels and reservations have no period. Of days and
    quarters that differ those of a month are one difference: where use is on the wrong day, or with the wrong key or
    voice, both numbers are the same.
    """

    what: str
    org_id: UUID
    period: date | None
    unit: str
    kept: Decimal | None
    counted: Decimal | None


async def list_differences(session: AsyncSession, since: date) -> list[Difference]:
    """Compare sums of all organisations from the month `since` on with what is left of the ledger, in one moment."""
    return [Difference(**row._asdict()) for row in await session.execute(_DIFFERENCES, {"since": since})]
