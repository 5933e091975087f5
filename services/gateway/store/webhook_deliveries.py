"""What webhooks are told, each within its organisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    delete,
    func,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from services.gateway.domain.webhooks import (
    Attempt,
    Delivery,
    DeliveryStatus,
    ErrorKind,
    Secrets,
    Webhook,
)
from services.gateway.store.webhook_queue import queue
from services.gateway.store.webhooks import SHOWN, webhook_of, webhooks

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)
_moment = DateTime(timezone=True)

deliveries = Table(
    "webhook_deliveries",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("webhook_id", _uuid),
    Column("event_id", _uuid),
    Column("event_type", Text),
    Column("body", LargeBinary),
    Column("status", Text),
    Column("attempts", JSONB),
    Column("queued_at", _moment),
    Column("created_at", _moment),
)
_NOW = func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An event that a webhook is to be told; `body` is what is sent."""

    id: UUID
    org_id: UUID
    webhook_id: UUID
    event_id: UUID
    event_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ToDeliver:
    """A delivery that was taken, and whom it is for."""

    id: UUID
    event_id: UUID
    body: bytes
    tried: int
    queued_at: datetime
    webhook: Webhook
    secrets: Secrets


async def insert_deliveries(session: AsyncSession, new: Sequence[NewDelivery]) -> int:
    """Insert deliveries that are due at once; return how many were new."""
    if not new:
        return 0
    rows = [
        {
            "id": one.id,
            "org_id": one.org_id,
            "webhook_id": one.webhook_id,
            "event_id": one.event_id,
            "event_type": one.event_type,
            "body": one.body,
            "status": DeliveryStatus.PENDING.value,
            "queued_at": _NOW,
            "created_at": _NOW,
        }
        for one in new
    ]
    statement = (
        insert(deliveries)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(deliveries.c.id, deliveries.c.org_id, deliveries.c.webhook_id)
    )
    inserted = (await session.execute(statement)).all()
    if inserted:
        due = [
            {"delivery_id": row.id, "org_id": row.org_id, "webhook_id": row.webhook_id, "due_at": _NOW}
            for row in inserted
        ]
        await session.execute(insert(queue).values(due))
    return len(inserted)


async def list_deliveries(
    session: AsyncSession, webhook_id: UUID, *, status: str | None, before: Cursor | None, limit: int
) -> Sequence[Delivery]:
    """Return a webhook's deliveries, newest first."""
    statement = _with_queue().where(deliveries.c.webhook_id == webhook_id)
    if status is not None:
        statement = statement.where(deliveries.c.status == status)
    if before is not None:
        statement = statement.where(tuple_(deliveries.c.created_at, deliveries.c.id) < (before.at, before.id))
    statement = statement.order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc()).limit(limit)
    return [_delivery(row) for row in (await session.execute(statement)).all()]


async def get_delivery(session: AsyncSession, webhook_id: UUID, delivery_id: UUID) -> Delivery | None:
    """Return a delivery of a webhook."""
    statement = _with_queue().where(deliveries.c.webhook_id == webhook_id, deliveries.c.id == delivery_id)
    row = (await session.execute(statement)).one_or_none()
    return _delivery(row) if row else None


async def queue_again(session: AsyncSession, webhook_id: UUID, delivery_id: UUID, now: datetime) -> bool:
    """Have a delivery made once more, at once; what was tried stays known. False when there is none."""
    statement = (
        update(deliveries)
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.id == delivery_id)
        .values(status=DeliveryStatus.PENDING.value, queued_at=now)
        .returning(deliveries.c.org_id)
    )
    org_id = (await session.execute(statement)).scalar_one_or_none()
    if org_id is None:
        return False
    due = {"delivery_id": delivery_id, "org_id": org_id, "webhook_id": webhook_id, "due_at": now}
    again = insert(queue).values(due).on_conflict_do_update(index_elements=["delivery_id"], set_={"due_at": now})
    await session.execute(again)
    return True


async def get_to_deliver(session: AsyncSession, delivery_ids: Sequence[UUID]) -> Sequence[ToDeliver]:
    """Return deliveries with whom they are for, in any order; those that were deleted meanwhile are missing."""
    statement = (
        select(
            *SHOWN,
            webhooks.c.secret,
            webhooks.c.previous_secret,
            webhooks.c.previous_until,
            deliveries.c.id.label("delivery_id"),
            deliveries.c.event_id,
            deliveries.c.body,
            deliveries.c.queued_at,
            _tried_since(),
        )
        .join(deliveries, deliveries.c.webhook_id == webhooks.c.id)
        .where(deliveries.c.id.in_(delivery_ids))
    )
    return [_to_deliver(row) for row in (await session.execute(statement)).all()]


async def add_attempt(session: AsyncSession, delivery_id: UUID, attempt: Attempt, status: DeliveryStatus) -> bool:
    """Note an attempt and what the delivery has become by it; False when it was deleted."""
    noted = {
        "at": attempt.at.astimezone(UTC).isoformat(),
        "duration_ms": attempt.duration_ms,
        "status_code": attempt.status_code,
        "error": attempt.error.value if attempt.error else None,
    }
    statement = (
        update(deliveries)
        .where(deliveries.c.id == delivery_id)
        .values(attempts=deliveries.c.attempts.op("||")(func.jsonb_build_array(_json(noted))), status=status.value)
        .returning(deliveries.c.id)
    )
    return (await session.execute(statement)).one_or_none() is not None


async def fail_pending(session: AsyncSession, webhook_id: UUID) -> None:
    """Give up everything that waits for a webhook."""
    await session.execute(
        update(deliveries)
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.status == DeliveryStatus.PENDING.value)
        .values(status=DeliveryStatus.FAILED.value)
    )
    await session.execute(delete(queue).where(queue.c.webhook_id == webhook_id))


def _json(value: Mapping[str, Any]) -> Any:  # Any: SQLAlchemy's expressions
    return literal(dict(value), JSONB)


def _tried_since() -> Any:  # Any: SQLAlchemy's expressions
    """How often it was tried since it was queued last: what was tried before a redelivery does not count."""
    return text(
        "(select count(*) from jsonb_array_elements(webhook_deliveries.attempts) a "
        "where (a->>'at')::timestamptz >= webhook_deliveries.queued_at) as tried"
    )


def _with_queue() -> Any:  # Any: SQLAlchemy's statements
    columns = [column for column in deliveries.c if column.name not in ("body", "queued_at", "org_id")]
    joined = deliveries.outerjoin(queue, queue.c.delivery_id == deliveries.c.id)
    return select(*columns, queue.c.due_at).select_from(joined)


def _delivery(row: Row[Any]) -> Delivery:
    attempts = [
        Attempt(
            number=number,
            at=datetime.fromisoformat(one["at"]),
            duration_ms=one["duration_ms"],
            status_code=one["status_code"],
            error=ErrorKind(one["error"]) if one["error"] else None,
        )
        for number, one in enumerate(cast("list[dict[str, Any]]", row.attempts), 1)
    ]
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        event_id=row.event_id,
        event_type=row.event_type,
        status=DeliveryStatus(row.status),
        attempts=attempts,
        next_attempt_at=row.due_at,
        created_at=row.created_at,
    )


def _to_deliver(row: Row[Any]) -> ToDeliver:
    return ToDeliver(
        id=row.delivery_id,
        event_id=row.event_id,
        body=row.body,
        tried=row.tried,
        queued_at=row.queued_at,
        webhook=webhook_of(row),
        secrets=Secrets(row.secret, row.previous_secret, row.previous_until),
    )
