"""Requests that are done once: the row that decides between replicas, and what is recorded in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Driver, driver_of
from services.gateway.domain.idempotency import COMMITTED, LEASE, Record, Repeatable

# One statement decides. It gives no row while somebody else has the request, or has answered it; then nothing changes.
_TAKE = """
insert into idempotency_records as record
    (org_id, key_hash, request_hash, resource_id, attempt, leased_until, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (org_id, key_hash) do update set
    request_hash = excluded.request_hash,
    resource_id = case when $9 or record.expires_at <= $8 and record.leased_until <= $8
        then excluded.resource_id else record.resource_id end,
    expires_at = case when $9 or record.expires_at <= $8 and record.leased_until <= $8
        then excluded.expires_at else record.expires_at end,
    attempt = excluded.attempt,
    leased_until = excluded.leased_until,
    status = null,
    answer = null
where $9 or record.leased_until <= $8
    and (record.expires_at <= $8 or record.status is null and record.request_hash = excluded.request_hash)
returning resource_id
"""
_GET = """
select request_hash, resource_id, status, answer, leased_until from idempotency_records
where org_id = $1 and key_hash = $2
"""
# Whoever lost the request to somebody else, having been silent for too long, changes nothing any more: `attempt`.
_ANSWER = """
update idempotency_records set status = $4, answer = $5, leased_until = $6
where org_id = $1 and key_hash = $2 and attempt = $3 returning 1
"""
_RELEASE = """
update idempotency_records set leased_until = $4, expires_at = coalesce($5, expires_at)
where org_id = $1 and key_hash = $2 and attempt = $3
"""
_FORGET = "delete from idempotency_records where org_id = $1 and key_hash = $2 and attempt = $3"
_FORGET_JOINED = "delete from idempotency_records where org_id = $1 and key_hash = $2 and resource_id = $3"
_RENEW = """
update idempotency_records set leased_until = $2
where attempt = any($1::uuid[]) and (status is null or status = $3)
"""
# A transaction that has changed nothing has no number.
_COMMIT = """
update idempotency_records set status = $4
where org_id = $1 and key_hash = $2 and attempt = $3 and status is null
    and pg_current_xact_id_if_assigned() is not null
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that is ours to do. `attempt` tells it from every other time that somebody does the same request."""

    request: Repeatable
    attempt: UUID
    resource_id: UUID


async def take(
    session: AsyncSession, request: Repeatable, *, resource_id: UUID, attempt: UUID, now: datetime
) -> Taken | None:
    """Take a request that nobody else does, and that is not answered; None otherwise.

    One that was cut off keeps the id of what it makes; `resource_id` is for a new one.
    """
    kept: UUID | None = await driver_of(session).fetchval(
        _TAKE,
        request.org_id,
        request.key_hash,
        request.request_hash,
        resource_id,
        attempt,
        now + LEASE,
        now + request.kept_for,
        now,
        request.is_first,
    )
    return Taken(request, attempt, kept) if kept is not None else None


async def get_record(session: AsyncSession, request: Repeatable) -> Record | None:
    """Return what is remembered of a request; None when it was forgotten this moment."""
    row = await driver_of(session).fetchrow(_GET, request.org_id, request.key_hash)
    return Record(**row) if row is not None else None


async def save_answer(session: AsyncSession, taken: Taken, status: int, answer: bytes | None, now: datetime) -> bool:
    """Record what a request was answered; False when it is ours no more."""
    row = await driver_of(session).fetchrow(
        _ANSWER, taken.request.org_id, taken.request.key_hash, taken.attempt, status, answer, now
    )
    return row is not None


async def release(session: AsyncSession, taken: Taken, now: datetime) -> None:
    """Leave a request to whoever comes next; without a key it is remembered for a while from now on."""
    expires_at = None if taken.request.has_key else now + taken.request.kept_for
    await driver_of(session).execute(
        _RELEASE, taken.request.org_id, taken.request.key_hash, taken.attempt, now, expires_at
    )


async def forget(session: AsyncSession, taken: Taken) -> None:
    """Remember nothing of a request."""
    await driver_of(session).execute(_FORGET, taken.request.org_id, taken.request.key_hash, taken.attempt)


async def forget_joined(session: AsyncSession, request: Repeatable, resource_id: UUID) -> None:
    """Remember nothing of a request, whoever does it."""
    await driver_of(session).execute(_FORGET_JOINED, request.org_id, request.key_hash, resource_id)


async def renew(session: AsyncSession, attempts: Sequence[UUID], now: datetime) -> None:
    """Say that these requests are still being done; the transaction is their organisations'."""
    await driver_of(session).execute(_RENEW, attempts, now + LEASE, COMMITTED)


async def commit(driver: Driver, taken: Taken) -> None:
    """Note, in the transaction that does a request, that it is done; nothing in one that only reads."""
    await driver.execute(_COMMIT, taken.request.org_id, taken.request.key_hash, taken.attempt, COMMITTED)


async def expire(session: AsyncSession, now: datetime, most: int) -> int:
    """Remove up to `most` records whose time is over, of all organisations; return how many there were."""
    gone: int = await driver_of(session).fetchval("select expire_idempotency_records($1, $2)", now, most)
    return gone
