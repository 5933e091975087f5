"""What tests of exports work with: a service's dependencies, and what is in an outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import text

from libs.database import Database
from libs.objectstore import ObjectStore


@dataclass(frozen=True)
class Deps:
    """What an export needs of a service."""

    database: Database
    objects: ObjectStore
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


async def events_of(database: Database, org_id: UUID, kind: type[Message]) -> list[Any]:  # Any: events of that kind
    query = text("select payload from outbox where org_id = :org and type_name = :kind order by seq")
    async with database.transaction() as session:
        rows = await session.execute(query, {"org": org_id, "kind": kind.DESCRIPTOR.full_name})
        return [kind.FromString(row.payload) for row in rows]
