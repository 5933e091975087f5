"""Keeps a service's projections up to date: many events, one transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from nats.aio.msg import Msg
from opentelemetry.context import Context
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.registry import UndecodableEvent, UnknownEvent
from libs.database import Database
from libs.messaging import inbox, tombstones
from libs.messaging.causes import note_cause
from libs.messaging.connection import Bus
from libs.messaging.declarations import Projection
from libs.messaging.delivery import DeadLetterOffice, acknowledge, heartbeat
from libs.messaging.envelope import Received, is_addressed_to, open_envelope
from libs.messaging.feed import Feed
from libs.messaging.policy import RetryPolicy, Verdict, judge
from libs.messaging.topology import BATCH_EVENTS, PROJECTION_ACK_WAIT
from libs.messaging.tracing import batch_spans, record_outcome

logger = logging.getLogger(__name__)

FAILURES_REMEMBERED = 10_000
OUTAGE_PAUSE = 0.5
OUTAGE_PAUSE_MAX = 5.0
POLICY = RetryPolicy(ack_wait=PROJECTION_ACK_WAIT)
"""Where a projection declares no other."""


class ProjectionRunner:
    """Applies what one durable delivers, in order, each event once."""

    def __init__(
        self, bus: Bus, database: Database, *, stream: str, durable: str, projections: Sequence[Projection]
    ) -> None:
        """`projections` are all of the group's whose events come from `stream`."""
        self._bus = bus
        self._database = database
        self._durable = durable
        self._feed = Feed(bus, stream, durable, BATCH_EVENTS)
        self._office = DeadLetterOffice(bus.jetstream, durable, POLICY)
        self._offices: dict[str, DeadLetterOffice] = {}
        self._handlers: dict[str, list[Projection]] = {}
        for declared in projections:
            self._handlers.setdefault(declared.event.name, []).append(declared)
            # Of several projections of one event the first one's policy counts: they fail together.
            office = DeadLetterOffice(bus.jetstream, durable, declared.policy or POLICY)
            self._offices.setdefault(declared.event.name, office)
        self._gather_seconds = min((declared.gather_seconds for declared in projections), default=0.0)
        self._failed_before: dict[str, None] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Apply events until `stop` is called."""
        await self._feed.open()
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                waiting = asyncio.create_task(self._feed.next_batch())
                await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    waiting.cancel()
                    break
                await self._take(waiting.result())
                if self._gather_seconds:
                    await asyncio.wait({stopping}, timeout=self._gather_seconds)
        finally:
            stopping.cancel()
            await self._feed.close()

    def stop(self) -> None:
        """Finish the batch in hand and return from `run`."""
        self._stopping.set()

    async def _take(self, messages: Sequence[Msg]) -> None:
        async with heartbeat(messages, PROJECTION_ACK_WAIT):
            together: list[Received] = []
            apart: list[Received] = []
            failed: list[tuple[Msg, Exception]] = []
            for message in await self._own(messages):
                try:
                    received = open_envelope(message)
                    (apart if received.id_text in self._failed_before else together).append(received)
                except (UnknownEvent, UndecodableEvent) as error:
                    failed.append((message, error))
            # Whatever was delivered and lost, as when a leader dies, comes again with what is newer: in its order.
            together.sort(key=lambda one: one.message.metadata.sequence.stream)
            # What failed before would spoil the transaction of the others once more.
            for batch in (together, apart):
                if batch:
                    await self._apply_all(batch, failed)
            # Last, so that what can be applied does not wait for what cannot.
            for message, reason in failed:
                await self._office_of(message).fail(message, reason)

    async def _own(self, messages: Sequence[Msg]) -> Sequence[Msg]:
        """Return those that are not meant for another consumer alone; the rest is done with."""
        others = [message for message in messages if not is_addressed_to(message, self._durable)]
        if not others:
            return messages
        await acknowledge(self._bus, others)
        record_outcome(self._durable, "skipped", count=len(others))
        return [message for message in messages if is_addressed_to(message, self._durable)]

    def _office_of(self, message: Msg) -> DeadLetterOffice:
        return self._offices.get((message.headers or {}).get("ce-type", ""), self._office)

    async def _apply_all(self, batch: Sequence[Received], failed: list[tuple[Msg, Exception]]) -> None:
        """Apply `batch`; when that fails, halve it until the event that cannot be applied stands alone in `failed`."""
        started = time.monotonic()
        try:
            new = await self._apply_through_outages(batch)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is judged, never dropped
            if len(batch) == 1:
                failed.append((batch[0].message, error))
                self._remember_failure(batch[0])
                return
            middle = len(batch) // 2
            await self._apply_all(batch[:middle], failed)
            await self._apply_all(batch[middle:], failed)
            return
        await acknowledge(self._bus, [one.message for one in batch])
        record_outcome(self._durable, "applied", count=new, seconds=time.monotonic() - started)
        if len(batch) > new:
            record_outcome(self._durable, "duplicate", count=len(batch) - new)

    def _remember_failure(self, received: Received) -> None:
        """Set the event apart when it comes again; of many the oldest are forgotten, and spoil one batch more."""
        self._failed_before[received.id_text] = None
        if len(self._failed_before) > FAILURES_REMEMBERED:
            del self._failed_before[next(iter(self._failed_before))]

    async def _apply_through_outages(self, batch: Sequence[Received]) -> int:
        """Apply `batch`, waiting out a database that is away: that is no fault of the events."""
        pause = OUTAGE_PAUSE
        while True:
            try:
                return await self._apply(batch)
            except Exception as error:
                if judge(error) is not Verdict.UNAVAILABLE or self._stopping.is_set():
                    raise
                logger.warning(
                    "projection waits for its database",
                    extra={"consumer": self._durable, "error": type(error).__name__, "pause": pause},
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, OUTAGE_PAUSE_MAX)

    async def _apply(self, batch: Sequence[Received]) -> int:
        """Apply what is new of `batch` in one transaction; return how much that was."""
        organisations = sorted({one.org_id for one in batch})
        with batch_spans(batch, self._durable) as contexts:
            async with self._database.transaction(*organisations) as session:
                new = await inbox.remember(session, self._durable, list({one.event_id for one in batch}))
                fresh = _first_of_each(batch, contexts, new)
                erased = await tombstones.erased_among(session, organisations)
                for received, context in fresh:
                    note_cause(session, received.event, received.id_text, context)
                for group in grouped([received for received, _ in fresh]):
                    await self._handle(session, group, erased)
        return len(fresh)

    async def _handle(self, session: AsyncSession, group: Sequence[Received], erased: Collection[UUID]) -> None:
        # Late events of whom all rows are gone would bring some back.
        living = [received for received in group if received.org_id not in erased]
        for declared in self._handlers.get(group[0].type_name, ()):
            # Any: the handler's own event class
            events: list[Any] = [received.event for received in (group if declared.of_erased else living)]
            if events:
                await declared.handler(session, events)


def _first_of_each(
    batch: Sequence[Received], contexts: Sequence[Context], new: set[Any]
) -> list[tuple[Received, Context]]:
    fresh: dict[Any, tuple[Received, Context]] = {}
    for received, context in zip(batch, contexts, strict=True):
        if received.event_id in new:
            fresh.setdefault(received.event_id, (received, context))
    return list(fresh.values())


def grouped(batch: Sequence[Received]) -> list[list[Received]]:
    """Group a batch by event type without changing the order in which an aggregate sees its events.

    An event joins the latest group of its type unless a later group already holds its aggregate.
    """
    groups: list[list[Received]] = []
    last_group_of_type: dict[str, int] = {}
    last_group_of_aggregate: dict[str, int] = {}
    for received in batch:
        target = last_group_of_type.get(received.type_name)
        if target is None or last_group_of_aggregate.get(received.aggregate, -1) > target:
            target = len(groups)
            groups.append([])
            last_group_of_type[received.type_name] = target
        groups[target].append(received)
        last_group_of_aggregate[received.aggregate] = target
    return groups
