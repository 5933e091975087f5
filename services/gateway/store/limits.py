"""The place that all replicas share: what is left of everybody's limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.gateway.domain.limits import Rate

_TAKE = "select * from take_shares($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_FORGET = "select forget_shares()"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a replica wants of one bucket: it gives `returned` cells back and takes `needed` and, of what is plenty,
    `more`.

    For an organisation also places for requests in flight, `slots_needed` in all: at most `slot_limit` over all
    replicas. A limit of 0 says that the bucket is not an organisation's.
    """

    id: UUID
    rate: Rate
    returned: int = 0
    needed: int = 0
    more: int = 0
    slot_limit: int = 0
    slots_needed: int = 0
    slots_more: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What a replica got of one bucket.

    `available` cells are left there; `wait` nanoseconds until there is one. `slots` are the replica's, `others` those
    of all others.
    """

    id: UUID
    cells: int
    available: int
    wait: int
    slots: int
    others: int


async def take_shares(
    session: AsyncSession, replica: UUID, wanted: Sequence[Wanted], slot_seconds: float
) -> list[Share]:
    """Take what is wanted and there; slots are the replica's for `slot_seconds`, unless it asks again."""
    rows = await driver_of(session).fetch(
        _TAKE,
        replica,
        [one.id for one in wanted],
        [one.rate.interval for one in wanted],
        [one.rate.requests for one in wanted],
        [one.returned for one in wanted],
        [one.needed for one in wanted],
        [one.more for one in wanted],
        [one.slot_limit for one in wanted],
        [one.slots_needed for one in wanted],
        [one.slots_more for one in wanted],
        slot_seconds,
    )
    return [Share(*row.values()) for row in rows]


async def delete_full_buckets(session: AsyncSession) -> None:
    """Delete what says no more than its absence: full buckets, and slots of replicas that are gone."""
    await driver_of(session).execute(_FORGET)
