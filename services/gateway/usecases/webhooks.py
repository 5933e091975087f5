"""Webhooks: whom to tell, and what they are told."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.gateway.v1.events_pb2 import WebhookDisabled
from libs.database import Cursor, Database, Page, page_of
from libs.ids import new_id
from libs.messaging.causes import cause_of
from services.gateway.adapters.keyring import Keyring
from services.gateway.adapters.webhook_wakes import note_queued
from services.gateway.domain.addresses import Allowed, check_url
from services.gateway.domain.public_events import WEBHOOK_TYPES, PublicEvent, public_event, types_named
from services.gateway.domain.webhooks import (
    MAX_WEBHOOKS,
    ROTATION,
    SECRET_BYTES,
    TEST_TYPE,
    Delivery,
    DeliveryNotFound,
    DisabledReason,
    Status,
    TooManyWebhooks,
    Webhook,
    WebhookIsDisabled,
    WebhookNotFound,
    shown_secret,
    wants,
)
from services.gateway.store import webhook_deliveries, webhook_queue
from services.gateway.store import webhooks as store
from services.gateway.store.webhook_deliveries import NewDelivery


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change of a webhook; None leaves it as it is."""

    url: str | None = None
    description: str | None = None
    events: Sequence[str] | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The webhooks of organisations; `allowed` is where they may lead besides the Internet.

    Their secrets are kept as `keyring` seals them.
    """

    database: Database
    clock: Callable[[], datetime]
    allowed: Allowed
    keyring: Keyring

    async def create(self, org_id: UUID, url: str, events: Sequence[str], description: str) -> tuple[Webhook, str]:
        """Add a webhook; return it with its secret, which is shown this once.

        Raises UrlRefused, UnknownType, TooManyWebhooks.
        """
        check_url(url, self.allowed)
        types_named(events, WEBHOOK_TYPES)
        secret = secrets.token_bytes(SECRET_BYTES)
        webhook = Webhook(
            id=new_id(),
            org_id=org_id,
            url=url,
            description=description,
            events=tuple(events) or ("*",),
            status="enabled",
            disabled_reason=None,
            failing_since=None,
            created_at=self.clock(),
        )
        async with self.database.transaction(org_id) as session:
            if await store.count_webhooks(session, org_id) >= MAX_WEBHOOKS:
                raise TooManyWebhooks
            await store.insert_webhook(session, webhook, self.keyring.seal(secret, org_id, webhook.id))
        return webhook, shown_secret(secret)

    async def list(self, org_id: UUID) -> Sequence[Webhook]:
        """Return an organisation's webhooks, oldest first."""
        async with self.database.transaction(org_id) as session:
            return await store.list_webhooks(session, org_id)

    async def get(self, org_id: UUID, webhook_id: UUID) -> Webhook:
        """Return a webhook; raises WebhookNotFound."""
        async with self.database.transaction(org_id) as session:
            return await _found(session, webhook_id)

    async def change(self, org_id: UUID, webhook_id: UUID, changes: Changes) -> Webhook:
        """Change a webhook; one that is enabled again starts without a past.

        Raises WebhookNotFound, UrlRefused, UnknownType.
        """
        if changes.url is not None:
            check_url(changes.url, self.allowed)
        if changes.events is not None:
            types_named(changes.events, WEBHOOK_TYPES)
        async with self.database.transaction(org_id) as session:
            before = await _found(session, webhook_id, lock=True)
            after = _changed(before, changes)
            await store.save_webhook(session, after)
            if before.status != after.status:
                await webhook_queue.set_lane(session, webhook_id, None)
                if after.status == "disabled":
                    await webhook_deliveries.fail_pending(session, webhook_id)
        return after

    async def rotate_secret(self, org_id: UUID, webhook_id: UUID) -> tuple[str, datetime]:
        """Give a webhook a new secret; return it, and until when the one before is used, too.

        Raises WebhookNotFound.
        """
        secret, until = secrets.token_bytes(SECRET_BYTES), self.clock() + ROTATION
        async with self.database.transaction(org_id) as session:
            await _found(session, webhook_id, lock=True)
            await store.save_secret(session, webhook_id, self.keyring.seal(secret, org_id, webhook_id), until)
        return shown_secret(secret), until

    async def delete(self, org_id: UUID, webhook_id: UUID) -> None:
        """Delete a webhook with all that was told to it; raises WebhookNotFound."""
        async with self.database.transaction(org_id) as session:
            if not await store.delete_webhook(session, webhook_id):
                raise WebhookNotFound

    async def test(self, org_id: UUID, webhook_id: UUID) -> Delivery:
        """Tell a webhook something, to see whether it arrives; raises WebhookNotFound, WebhookIsDisabled."""
        event_id = new_id()
        body = PublicEvent(event_id, TEST_TYPE, {"webhook_id": str(webhook_id)}).body()
        async with self.database.transaction(org_id) as session:
            webhook = await _enabled(session, webhook_id)
            new = NewDelivery(new_id(), webhook.org_id, webhook_id, event_id, TEST_TYPE, body)
            await webhook_deliveries.insert_deliveries(session, [new])
            note_queued(session)
            return await _delivery(session, webhook_id, new.id)

    async def list_deliveries(
        self, org_id: UUID, webhook_id: UUID, *, status: str | None, cursor: str | None, limit: int
    ) -> Page[Delivery]:
        """Return what a webhook was told, newest first; raises WebhookNotFound, InvalidCursor."""
        before = Cursor.decode(cursor) if cursor else None
        async with self.database.transaction(org_id) as session:
            await _found(session, webhook_id)
            rows = await webhook_deliveries.list_deliveries(
                session, webhook_id, status=status, before=before, limit=limit + 1
            )
        return page_of(rows, limit, lambda row: Cursor(row.created_at, row.id))

    async def redeliver(self, org_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Delivery:
        """Tell a webhook once more what it was told, under the same id.

        Raises WebhookNotFound, DeliveryNotFound, WebhookIsDisabled.
        """
        async with self.database.transaction(org_id) as session:
            await _enabled(session, webhook_id)
            if not await webhook_deliveries.queue_again(session, webhook_id, delivery_id, self.clock()):
                raise DeliveryNotFound
            note_queued(session)
            return await _delivery(session, webhook_id, delivery_id)


async def queue_deliveries(session: AsyncSession, events: Sequence[Message]) -> None:
    """Note for every webhook that wants one of these events that it is to be told; once, however often this is done."""
    webhooks = await store.list_enabled(session)
    if not webhooks:
        return
    new: list[NewDelivery] = []
    for event in events:
        event_id = UUID(cause_of(session, event).event_id)
        shown = public_event(event_id, event)
        if shown is None:
            continue
        org_id: str = getattr(event, "org_id", "")
        wanting = [one for one in webhooks if str(one.org_id) == org_id and wants(one.events, shown.type)]
        body = shown.body() if wanting else b""
        new += [NewDelivery(new_id(), one.org_id, one.id, event_id, shown.type, body) for one in wanting]
    if await webhook_deliveries.insert_deliveries(session, new):
        note_queued(session)


async def disable(session: AsyncSession, webhook: Webhook, reason: DisabledReason, now: datetime) -> None:
    """Tell a webhook nothing more, and the organisation that it is so."""
    await store.save_webhook(session, replace(webhook, status="disabled", disabled_reason=reason))
    await webhook_deliveries.fail_pending(session, webhook.id)
    outbox.add(
        session,
        WebhookDisabled(webhook_id=str(webhook.id), org_id=str(webhook.org_id), reason=reason, disabled_at=now),
    )


def _changed(before: Webhook, changes: Changes) -> Webhook:
    after = replace(
        before,
        url=before.url if changes.url is None else changes.url,
        description=before.description if changes.description is None else changes.description,
        events=before.events if changes.events is None else tuple(changes.events) or ("*",),
    )
    if changes.status is None or changes.status == before.status:
        return after
    reason: DisabledReason | None = "requested" if changes.status == "disabled" else None
    return replace(after, status=changes.status, disabled_reason=reason, failing_since=None)


async def _found(session: AsyncSession, webhook_id: UUID, *, lock: bool = False) -> Webhook:
    webhook = await store.get_webhook(session, webhook_id, lock=lock)
    if webhook is None:
        raise WebhookNotFound
    return webhook


async def _enabled(session: AsyncSession, webhook_id: UUID) -> Webhook:
    webhook = await _found(session, webhook_id)
    if webhook.status != "enabled":
        raise WebhookIsDisabled
    return webhook


async def _delivery(session: AsyncSession, webhook_id: UUID, delivery_id: UUID) -> Delivery:
    delivery = await webhook_deliveries.get_delivery(session, webhook_id, delivery_id)
    if delivery is None:
        raise DeliveryNotFound
    return delivery
