"""Webhooks, each within its organisation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, LargeBinary, MetaData, Row, Table, Text, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.domain.webhooks import Webhook

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)
_moment = DateTime(timezone=True)

webhooks = Table(
    "webhooks",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("url", Text),
    Column("description", Text),
    Column("events", ARRAY(Text)),
    Column("secret", LargeBinary),
    Column("previous_secret", LargeBinary),
    Column("previous_until", _moment),
    Column("status", Text),
    Column("disabled_reason", Text),
    Column("failing_since", _moment),
    Column("created_at", _moment),
)
SHOWN = (
    webhooks.c.id,
    webhooks.c.org_id,
    webhooks.c.url,
    webhooks.c.description,
    webhooks.c.events,
    webhooks.c.status,
    webhooks.c.disabled_reason,
    webhooks.c.failing_since,
    webhooks.c.created_at,
)


async def count_webhooks(session: AsyncSession, org_id: UUID) -> int:
    """Count the organisation's webhooks; two who do so at once do it one after the other."""
    await session.execute(text("select pg_advisory_xact_lock(hashtextextended(:org, 5))"), {"org": str(org_id)})
    count: int = (await session.execute(select(func.count()).where(webhooks.c.org_id == org_id))).scalar_one()
    return count


async def insert_webhook(session: AsyncSession, new: Webhook, secret: bytes) -> None:
    """Insert a webhook, and its place among those that are told."""
    values = {column.name: getattr(new, column.name) for column in SHOWN} | {"secret": secret}
    await session.execute(insert(webhooks).values(values))
    await session.execute(text("insert into webhook_lanes (webhook_id) values (:id)"), {"id": new.id})


async def list_webhooks(session: AsyncSession, org_id: UUID) -> Sequence[Webhook]:
    """Return the organisation's webhooks, oldest first."""
    statement = select(*SHOWN).where(webhooks.c.org_id == org_id).order_by(webhooks.c.created_at, webhooks.c.id)
    return [webhook_of(row) for row in (await session.execute(statement)).all()]


async def list_enabled(session: AsyncSession) -> Sequence[Webhook]:
    """Return the webhooks that are told something, of all the organisations of the transaction."""
    statement = select(*SHOWN).where(webhooks.c.status == "enabled")
    return [webhook_of(row) for row in (await session.execute(statement)).all()]


async def get_webhook(session: AsyncSession, webhook_id: UUID, *, lock: bool = False) -> Webhook | None:
    """Return a webhook of the transaction's organisations."""
    statement = select(*SHOWN).where(webhooks.c.id == webhook_id)
    row = (await session.execute(statement.with_for_update() if lock else statement)).one_or_none()
    return webhook_of(row) if row else None


async def save_webhook(session: AsyncSession, changed: Webhook) -> None:
    """Save what may change of a webhook."""
    values = {
        "url": changed.url,
        "description": changed.description,
        "events": changed.events,
        "status": changed.status,
        "disabled_reason": changed.disabled_reason,
        "failing_since": changed.failing_since,
    }
    await session.execute(update(webhooks).where(webhooks.c.id == changed.id).values(values))


async def save_secret(session: AsyncSession, webhook_id: UUID, secret: bytes, previous_until: datetime) -> None:
    """Give a webhook a new secret; the one that it had is valid until `previous_until`."""
    values = {"secret": secret, "previous_secret": webhooks.c.secret, "previous_until": previous_until}
    await session.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(values))


async def delete_webhook(session: AsyncSession, webhook_id: UUID) -> bool:
    """Delete a webhook with its deliveries; False when there is none."""
    statement = delete(webhooks).where(webhooks.c.id == webhook_id).returning(webhooks.c.id)
    return (await session.execute(statement)).one_or_none() is not None


def webhook_of(row: Row[Any]) -> Webhook:
    """Read a webhook from a row that has the columns SHOWN."""
    return Webhook(
        id=row.id,
        org_id=row.org_id,
        url=row.url,
        description=row.description,
        events=tuple(row.events),
        status=row.status,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        created_at=row.created_at,
    )
