"""Where sums are not what the ledger says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_DIFFERENCES = text(
    """
    select * from usage_differences(:since)
    union all
    select 'quarters', org_id, date_trunc('month', begins_at at time zone 'UTC')::date,
        case unit when 'generations' then 'requests' else unit end, sum(kept), sum(counted)
    from usage_quarter_differences(:since) group by 1, 2, 3, 4
    """
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A sum, `kept` as it is and as it is `counted`: None where there is none.

    `what` is totals, days, quarters, reservations or levels; levels and reservations have no period. Of quarters that
    differ those of a month are one difference: where use is with the wrong key or voice, both numbers are the same.
    """

    what: str
    org_id: UUID
    period: date | None
    unit: str
    kept: Decimal | None
    counted: Decimal | None


async def list_differences(session: AsyncSession, since: date) -> list[Difference]:
    """Compare sums of all organisations from the month `since` on with the ledger, in one moment."""
    return [Difference(**row._asdict()) for row in await session.execute(_DIFFERENCES, {"since": since})]
