"""The audit log: what is written into it, and whether it is as it was written."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database
from services.gateway.domain.access import Credential
from services.gateway.domain.audit import Chain, Details
from services.gateway.store import audit as store

BATCH = 1000


async def record(session: AsyncSession, actor: Credential, action: str, now: datetime, details: Details) -> None:
    """Write down what `actor` does in their organisation, in the transaction that does it."""
    await store.append(
        session, actor.org_id, action, at=now, key_id=actor.key_id, user_id=actor.user_id, details=details
    )


async def verify(database: Database, org_id: UUID) -> Chain:
    """Follow an organisation's log from its first entry to its newest."""
    chain = Chain()
    async with database.transaction(org_id) as session:
        # First: what is added meanwhile is then no surprise, as the log is followed only up to here.
        seq, head = await store.get_head(session, org_id)
        while chain.broken_at is None and chain.length < seq:
            entries = await store.list_from(session, org_id, chain.length, min(BATCH, seq - chain.length))
            if not entries:
                break
            chain.follow(entries)
        # An entry and what is known of the newest one are written together: one without the other was put there.
        beyond = await store.list_from(session, org_id, seq, 1)
        newest, _ = await store.get_head(session, org_id)
    chain.end(seq, head)
    if beyond and newest <= seq:
        chain.end(beyond[0].entry.seq, beyond[0].hash)
    return chain
