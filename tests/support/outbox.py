"""What services have told, in tests where no relay sends it: it stays in the outbox, where it is looked at."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import text

from libs.contracts.registry import event_type
from libs.database import Database
from libs.outbox import OutboxHook

Event = TypeVar("Event", bound=Message)


async def _no_wake() -> None:
    """There is nobody to wake."""


UNSENT = OutboxHook(_no_wake)
"""For a database without a relay."""


async def written_events(database: Database, kind: type[Event], *, org_id: UUID) -> list[Event]:
    """The events of one kind that an organisation's transactions have left to send, in their order."""
    statement = text("select payload from outbox where type_name = :name and org_id = :org_id order by seq")
    async with database.transaction() as session:
        found = await session.execute(statement, {"name": event_type(kind).name, "org_id": org_id})
        return [kind.FromString(payload) for payload in found.scalars()]
