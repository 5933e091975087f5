"""Telling webhooks what is queued for them: outside of any transaction, again and again until it has arrived."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version

from opentelemetry import metrics
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database, is_database_away
from libs.messaging import Bus, heed
from services.gateway.adapters.keyring import Keyring
from services.gateway.adapters.webhook_sender import WebhookSender
from services.gateway.domain.signals import WEBHOOKS
from services.gateway.domain.webhooks import (
    KEPT,
    Attempt,
    DeliveryStatus,
    Outcome,
    Webhook,
    must_disable,
    next_attempt,
    rest_after,
    signed_headers,
)
from services.gateway.store import webhook_deliveries, webhook_queue
from services.gateway.store import webhooks as store
from services.gateway.store.webhook_deliveries import ToDeliver
from services.gateway.usecases.webhooks import disable

logger = logging.getLogger(__name__)

AT_ONCE = 128
"""Deliveries under way in one replica."""
EACH_AT_ONCE = 4
"""To one webhook, in all replicas together."""
LOOK_SECONDS = 1.0
"""How often the queue is looked at when nothing wakes."""
FORGET_SECONDS = 600.0
FORGET_AT_ONCE = 10_000
LAST_SECONDS = 5.0
"""What is under way gets so long when the process stops; what is not settled by then is tried again by others."""
_USER_AGENT = f"Antiphon-Webhooks/{version('antiphon')}"

_attempts = metrics.get_meter("antiphon.gateway").create_counter(
    "antiphon.webhooks.attempts", description="Attempts to tell webhooks something, by what came of them"
)


class Deliverer:
    """Takes what is due and delivers it."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], sender: WebhookSender, keyring: Keyring
    ) -> None:
        """Delivers nothing before `run`; `keyring` reads the secrets with which it signs."""
        self._database = database
        self._clock = clock
        self._sender = sender
        self._keyring = keyring
        self._stirred = asyncio.Event()
        self._stopping = False
        self._under_way: set[asyncio.Task[None]] = set()

    async def listen(self, bus: Bus) -> None:
        """Look at the queue whenever a signal says that there is something in it."""
        await heed(bus, WEBHOOKS, lambda _signal: self._stirred.set())

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping = True
        self._stirred.set()

    async def close(self) -> None:
        """Give what is under way a moment, then leave it to others."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=LAST_SECONDS)
        for task in self._under_way:
            task.cancel()

    async def run(self) -> None:
        """Deliver until stopped or cancelled; outages of the database are waited out."""
        forget_at = 0.0
        loop = asyncio.get_running_loop()
        while not self._stopping:
            self._stirred.clear()
            try:
                took = await self._take()
                if loop.time() >= forget_at:
                    forget_at = loop.time() + FORGET_SECONDS
                    await self._forget()
            except Exception as error:
                if not is_database_away(error):
                    raise
                logger.warning("webhooks wait for the database", extra={"error": type(error).__name__})
                took = 0
            if took:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._stirred.wait()

    async def _take(self) -> int:
        room = AT_ONCE - len(self._under_way)
        if room <= 0:
            return 0
        async with self._database.transaction() as session:
            taken = await webhook_queue.take(session, self._clock(), most=room, each=EACH_AT_ONCE)
        if not taken:
            return 0
        async with self._database.transaction(*{one.org_id for one in taken}) as session:
            found = await webhook_deliveries.get_to_deliver(session, [one.delivery_id for one in taken])
        for one in found:
            task = asyncio.create_task(self._deliver(one))
            self._under_way.add(task)
            task.add_done_callback(self._finished)
        return len(taken)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        # There is room again, and for the same webhook perhaps more to do.
        self._stirred.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease ends, and it is tried again; the webhook may then be told the same twice, under the same id.
            logger.error("a delivery could not be settled", exc_info=error)

    async def _deliver(self, one: ToDeliver) -> None:
        at = self._clock()
        headers = {
            "content-type": "application/json",
            "user-agent": _USER_AGENT,
            **signed_headers(str(one.event_id), at, one.body, self._secrets(one, at)),
        }
        if one.webhook.status != "enabled":
            # It was queued just when the webhook was disabled.
            async with self._database.transaction(one.webhook.org_id) as session:
                await webhook_deliveries.fail_pending(session, one.webhook.id)
            return
        outcome = await self._sender.post(one.webhook.url, one.body, headers)
        _attempts.add(1, {"outcome": outcome.error.value if outcome.error else "delivered"})
        async with self._database.transaction(one.webhook.org_id) as session:
            await self._settle(session, one, at, outcome)

    def _secrets(self, one: ToDeliver, at: datetime) -> list[bytes]:
        webhook = one.webhook
        return [self._keyring.open(kept, webhook.org_id, webhook.id) for kept in one.secrets.valid_at(at)]

    async def _settle(self, session: AsyncSession, one: ToDeliver, at: datetime, outcome: Outcome) -> None:
        now = self._clock()
        # The webhook first, and then what is queued for it: in that order whoever disables it locks them, too.
        webhook = await store.get_webhook(session, one.webhook.id, lock=True)
        if webhook is None:
            return
        again = None
        if outcome.is_success:
            status = DeliveryStatus.DELIVERED
        else:
            again = next_attempt(one.tried + 1, one.queued_at, now, random.random())  # noqa: S311 - spreads attempts
            status = DeliveryStatus.PENDING if again and webhook.status == "enabled" else DeliveryStatus.FAILED
        attempt = Attempt(one.tried + 1, at, outcome.duration_ms, outcome.status_code, outcome.error)
        await webhook_deliveries.add_attempt(session, one.id, attempt, status)
        await webhook_queue.settle(session, one.id, again if status is DeliveryStatus.PENDING else None)
        await self._judge(session, webhook, outcome, now)

    async def _judge(self, session: AsyncSession, webhook: Webhook, outcome: Outcome, now: datetime) -> None:
        """Note how the webhook is doing; disable it when it wants nothing more, or has failed for too long."""
        if webhook.status != "enabled":
            return
        if outcome.is_success:
            if webhook.failing_since is not None:
                await store.save_webhook(session, replace(webhook, failing_since=None))
                await webhook_queue.set_lane(session, webhook.id, None)
            return
        since = webhook.failing_since or now
        failing = replace(webhook, failing_since=since)
        if outcome.is_gone or must_disable(since, now):
            await disable(session, failing, "gone" if outcome.is_gone else "failing", now)
            return
        await store.save_webhook(session, failing)
        await webhook_queue.set_lane(session, webhook.id, rest_after(since, now))

    async def _forget(self) -> None:
        async with self._database.transaction() as session:
            await webhook_queue.forget(session, self._clock() - KEPT, FORGET_AT_ONCE)
