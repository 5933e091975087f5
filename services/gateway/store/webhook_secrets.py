"""The secrets of webhooks, as they are kept: sealed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.gateway.store.webhooks import webhooks


async def list_to_seal(session: AsyncSession, newest: bytes, limit: int) -> list[tuple[UUID, UUID]]:
    """Return webhooks with a secret that the key `newest` has not sealed, and whose they are, of all organisations."""
    rows = await driver_of(session).fetch("select webhook_id, org_id from webhooks_to_seal($1, $2)", newest, limit)
    return [(row["webhook_id"], row["org_id"]) for row in rows]


async def lock_secrets(session: AsyncSession, webhook_id: UUID) -> tuple[bytes, bytes | None] | None:
    """Return the secret of a webhook and the one before it, which nobody else changes in this transaction."""
    statement = select(webhooks.c.secret, webhooks.c.previous_secret).where(webhooks.c.id == webhook_id)
    row = (await session.execute(statement.with_for_update())).one_or_none()
    return (row.secret, row.previous_secret) if row is not None else None


async def save_secrets(session: AsyncSession, webhook_id: UUID, secret: bytes | None, previous: bytes | None) -> None:
    """Keep the same secrets in another form."""
    values = {"secret": secret, "previous_secret": previous}
    await session.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(values))
