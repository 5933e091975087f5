"""Events as rows: written in the business transaction, published afterwards by the relay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

import orjson
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.registry import event_type
from libs.database import Driver, require_durable
from libs.ids import SYSTEM_ORG, new_id
from libs.messaging.causes import cause_of
from libs.telemetry import current_trace_headers

_PENDING = "outbox.pending"
_WRITTEN = "outbox.written"

# By the driver and in one statement: SQLAlchemy would take longer over it than PostgreSQL.
_INSERT = """
insert into outbox (event_id, type_name, subject, aggregate, org_id, cause, payload, trace)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::bytea[],
    $8::text[]::jsonb[])
"""

_INSERT_ONE = """
insert into outbox (event_id, type_name, subject, aggregate, org_id, cause, payload, trace)
values ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb)
"""


def add(session: AsyncSession, event: Message, *, cause: Message | None = None) -> UUID:
    """Publish `event` if and when the transaction of `session` commits; return the event's id.

    The event continues the current trace. In a projection, which handles many events at once, pass
    the event that this one answers as `cause`: the trace is then that event's.
    """
    declared = event_type(event)
    known_cause = cause_of(session, cause) if cause is not None else None
    event_id = new_id()
    trace = current_trace_headers(known_cause.context if known_cause else None)
    session.info.setdefault(_PENDING, []).append(
        (
            event_id,
            declared.name,
            declared.subject,
            declared.aggregate_of(event),
            _org_of(event),
            known_cause.event_id if known_cause else None,
            event.SerializeToString(),
            orjson.dumps(trace).decode(),
        )
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

    async def before_commit(self, session: AsyncSession, driver: Driver) -> None:
        """Insert what was added, in its order."""
        rows: list[tuple[object, ...]] = session.info.pop(_PENDING, [])
        if rows:
            # What others are told must not be forgotten here.
            await require_durable(session, driver)
            if len(rows) == 1:
                await driver.execute(_INSERT_ONE, *rows[0])
            else:
                await driver.execute(_INSERT, *zip(*rows, strict=True))
            session.info[_WRITTEN] = True

    async def after_commit(self, session: AsyncSession) -> None:
        """Wake the relay; should that fail, its slow poll finds the rows."""
        if session.info.pop(_WRITTEN, False):
            await self._wake()
