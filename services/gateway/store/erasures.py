"""Erasures and what services report of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from libs.messaging import tombstones
from libs.outbox.erasing import ARCHIVE, ROWS_AT_ONCE, erase_some
from services.gateway.domain.erasures import Erasure, Report
from services.gateway.store.organizations import memberships, organizations

_metadata = MetaData()

erasures = Table(
    "erasures",
    _metadata,
    Column("id", PgUuid(as_uuid=True), primary_key=True),
    Column("org_id", PgUuid(as_uuid=True), nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("completed_at", DateTime(timezone=True)),
)
erasure_reports = Table(
    "erasure_reports",
    _metadata,
    Column("erasure_id", PgUuid(as_uuid=True), primary_key=True),
    Column("org_id", PgUuid(as_uuid=True), nullable=False),
    Column("service", Text, primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("counts", JSONB, nullable=False),
    Column("erased_at", DateTime(timezone=True), nullable=False),
)

ERASED = (
    "webhook_queue",
    "webhook_deliveries",
    "webhooks",
    "idempotency_records",
    "invitations",
    "api_keys",
    "export_parts",
    "exports",
)
"""Tables with rows of organisations that go with them, besides memberships and the organisation itself."""
KEPT = {
    "audit_log": "what was done outlives whom it was done to; it names ids alone",
    "audit_heads": "seals the audit log",
    "erased_organizations": "so that nothing that comes late is applied",
    "erasures": "tells of the erasure itself",
    "erasure_reports": "tells of the erasure itself",
    "key_changes": "gone after minutes; replicas learn from it that the keys are",
    "outbox": "what is about to be told, this erasure among it",
}
"""Tables with rows of organisations that stay, and why."""


async def insert_erasure(session: AsyncSession, erasure_id: UUID, org_id: UUID, now: datetime) -> None:
    """Write down that an organisation is erased."""
    await session.execute(insert(erasures).values(id=erasure_id, org_id=org_id, requested_at=now))


async def erase_organization(session: AsyncSession, org_id: UUID) -> dict[str, int]:
    """Delete an organisation with all that the gateway has of it; return how many rows of each table."""
    await tombstones.bury(session, org_id)
    counts = {name: await _erase(session, org_id, name) for name in ERASED}
    people = (
        (await session.execute(select(memberships.c.user_id).where(memberships.c.org_id == org_id))).scalars().all()
    )
    counts["memberships"] = await _erase(session, org_id, "memberships")
    for user_id in people:
        await session.execute(text("select forget_user(:id)"), {"id": user_id})
    await session.execute(organizations.delete().where(organizations.c.id == org_id))
    counts["organizations"] = 1
    return counts | await erase_archive(session, org_id)


async def erase_archive(session: AsyncSession, org_id: UUID) -> dict[str, int]:
    """Delete the published events of an organisation; return how many there were."""
    return {ARCHIVE: await _erase(session, org_id, ARCHIVE)}


async def _erase(session: AsyncSession, org_id: UUID, name: str) -> int:
    erased = 0
    while some := await erase_some(session, org_id, name):
        erased += some
        if some < ROWS_AT_ONCE:
            break
    return erased


async def insert_report(
    session: AsyncSession,
    erasure_id: UUID,
    org_id: UUID,
    report: Report,
) -> None:
    """Keep what a service says; the first answer of a round counts."""
    counts: Mapping[str, int] = dict(report.counts)
    values = {
        "erasure_id": erasure_id,
        "org_id": org_id,
        "service": report.service,
        "round": report.round,
        "counts": counts,
        "erased_at": report.erased_at,
    }
    await session.execute(insert(erasure_reports).values(values).on_conflict_do_nothing())


async def find_erasure(session: AsyncSession, erasure_id: UUID) -> UUID | None:
    """Return whose erasure has this id, of whatever organisation."""
    found: UUID | None = await driver_of(session).fetchval("select org_id from find_erasure($1)", erasure_id)
    return found


async def get_erasure(session: AsyncSession, erasure_id: UUID, *, lock: bool = False) -> Erasure | None:
    """Return an erasure with all reports, in their order; with `lock` nobody else changes it."""
    statement = select(erasures).where(erasures.c.id == erasure_id)
    row = (await session.execute(statement.with_for_update() if lock else statement)).one_or_none()
    if row is None:
        return None
    of_it = select(erasure_reports).where(erasure_reports.c.erasure_id == erasure_id)
    rows = await session.execute(of_it.order_by(erasure_reports.c.round, erasure_reports.c.erased_at))
    reports = [Report(one.service, one.round, one.counts, one.erased_at) for one in rows]
    return Erasure(row.id, row.requested_at, row.completed_at, reports)


async def save_completed(session: AsyncSession, erasure_id: UUID, now: datetime) -> None:
    """All is done."""
    await session.execute(update(erasures).where(erasures.c.id == erasure_id).values(completed_at=now))
