"""Events as rows: written in the business transaction, published afterwards by the relay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import BigInteger, Column, DateTime, Identity, LargeBinary, MetaData, Table, Text, func, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.registry import event_type
from libs.ids import SYSTEM_ORG, new_id
from libs.messaging.causes import cause_of
from libs.telemetry import current_trace_headers

_PENDING = "outbox.pending"
_WRITTEN = "outbox.written"

outbox_table = Table(
    "outbox",
    MetaData(),
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", PgUuid(as_uuid=True)),
    Column("type_name", Text),
    Column("subject", Text),
    Column("aggregate", Text),
    Column("org_id", PgUuid(as_uuid=True)),
    Column("cause", Text),
    Column("payload", LargeBinary),
    Column("trace", JSONB),
    Column("created_at", DateTime(timezone=True), server_default=func.clock_timestamp()),
)

# Made once: taking a statement apart for the cache costs more than executing it.
_INSERT = insert(outbox_table)


def add(session: AsyncSession, event: Message, *, cause: Message | None = None) -> UUID:
    """Publish `event` if and when the transaction of `session` commits; return the event's id.

    The event continues the current trace. In a projection, which handles many events at once, pass
    the event that this one answers as `cause`: the trace is then that event's.
    """
    declared = event_type(event)
    known_cause = cause_of(session, cause) if cause is not None else None
    event_id = new_id()
    session.info.setdefault(_PENDING, []).append(
        {
            "event_id": event_id,
            "type_name": declared.name,
            "subject": declared.subject,
            "aggregate": declared.aggregate_of(event),
            "org_id": _org_of(event),
            "cause": known_cause.event_id if known_cause else None,
            "payload": event.SerializeToString(),
            "trace": current_trace_headers(known_cause.context if known_cause else None),
        }
    )
    return event_id


def _org_of(event: Message) -> UUID:
    org_id: str = getattr(event, "org_id", "")
    return UUID(org_id) if org_id else SYSTEM_ORG


class OutboxHook:
    """Writes a transaction's events last, and wakes the relay once they are durable."""

    def __init__(self, wake: Callable[[], Awaitable[None]]) -> None:
        """`wake` tells whichever process leads the relay that there is something to send."""
        self._wake = wake

    async def before_commit(self, session: AsyncSession) -> None:
        """Insert what was added, in its order."""
        rows: list[dict[str, Any]] = session.info.pop(_PENDING, [])  # Any: one value a column
        if rows:
            await session.execute(_INSERT, rows)
            session.info[_WRITTEN] = True

    async def after_commit(self, session: AsyncSession) -> None:
        """Wake the relay; should that fail, its slow poll finds the rows."""
        if session.info.pop(_WRITTEN, False):
            await self._wake()
