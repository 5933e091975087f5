"""Runs jobs: one event, one handler call, as many at a time as the declaration allows.

FastStream pulls and dispatches; what becomes of a message is decided where the projections decide it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import nats.errors
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from faststream.nats.security import NatsUserPassword
from nats.aio.msg import Msg

from libs.contracts.registry import UndecodableEvent, UnknownEvent
from libs.messaging.connection import NatsAddress, connect_options
from libs.messaging.declarations import Consumers, Delivery, Work
from libs.messaging.delivery import DeadLetterOffice, acknowledge, heartbeat, tries_of
from libs.messaging.envelope import Received, open_envelope
from libs.messaging.topology import work_durable
from libs.messaging.tracing import process_span, record_outcome

logger = logging.getLogger(__name__)

PULL_SECONDS = 30.0
"""How long a pull waits for the next job. Pulls ask for one job: a larger pull is held until it is full."""


class WorkRunner:
    """Takes the jobs that a group declares and runs them."""

    # Any: the service's own dependencies.
    def __init__(self, address: NatsAddress, consumers: Consumers, deps: Any) -> None:
        """Connects at `start`; `deps` is what every handler gets."""
        self._deps = deps
        self._running: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._broker = NatsBroker(
            address.url,
            security=NatsUserPassword(address.user, address.password),
            **_broker_options(address, consumers.group),
            logger=None,
            apply_types=False,
        )
        for declared in consumers.works:
            self._subscribe(consumers.group, declared, address)

    def _subscribe(self, group: str, declared: Work, address: NatsAddress) -> None:
        durable = work_durable(group, declared)
        subscriber = self._broker.subscriber(
            declared.event.subject,
            stream=JStream(declared.event.stream, declare=False),
            durable=durable,
            pull_sub=PullSub(batch_size=1, timeout=PULL_SECONDS),
            max_workers=declared.concurrency,
            ack_policy=AckPolicy.MANUAL,
            inbox_prefix=f"_INBOX_{address.user}.".encode(),
            decoder=_undecoded,
            no_reply=True,
        )
        subscriber(self._handler(declared, durable))

    def _handler(self, declared: Work, durable: str) -> Callable[[bytes], Awaitable[None]]:
        async def handle(_body: bytes) -> None:
            message: NatsMessage = self._broker.context.get_local("message")
            office = DeadLetterOffice(self._broker.config.connection_state.stream, durable, declared.policy)
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            self._idle.clear()
            try:
                await self._job(declared, durable, office, message.raw_message)
            finally:
                self._running.discard(task)
                if not self._running:
                    self._idle.set()

        return handle

    async def _job(self, declared: Work, durable: str, office: DeadLetterOffice, message: Msg) -> None:
        started = time.monotonic()
        async with heartbeat([message], declared.policy.ack_wait):
            try:
                received = open_envelope(message)
            except (UnknownEvent, UndecodableEvent) as error:
                await office.fail(message, error)
                return
            delivery = Delivery(received.event, str(received.event_id), tries_of(message))
            try:
                await self._call(declared, durable, received, delivery)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is judged, never dropped
                await self._failed(declared, office, message, delivery, error)
                return
        await acknowledge([message])
        record_outcome(durable, "applied", seconds=time.monotonic() - started)

    async def _call(self, declared: Work, durable: str, received: Received, delivery: Delivery[Any]) -> None:
        with process_span(received, durable):
            await declared.handler(delivery, self._deps)

    async def _failed(
        self, declared: Work, office: DeadLetterOffice, message: Msg, delivery: Delivery[Any], error: Exception
    ) -> None:
        if declared.exhausted is not None and office.is_last_try(message, error):
            try:
                await declared.exhausted(delivery, self._deps, f"{type(error).__name__}: {error}")
            except Exception as second:
                # Not buried yet: the delivery comes again, and its end is told then.
                logger.exception("the end of a job could not be told", extra={"consumer": declared.name})
                await office.fail(message, ConnectionError(str(second)))
                return
        await office.fail(message, error)

    async def start(self) -> None:
        """Connect and begin to take jobs."""
        await self._broker.start()

    async def stop(self, timeout: float) -> None:
        """Take no more jobs, give those that run `timeout` seconds, then close.

        A job that does not finish in time is delivered again, here or elsewhere.
        """
        for subscriber in self._broker.subscribers:
            await _stop_pulling(subscriber)
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            for task in list(self._running):
                task.cancel()
        await self._broker.stop()


async def _stop_pulling(subscriber: Any) -> None:  # Any: FastStream's subscriber classes are private
    subscriber.running = False
    if subscriber.subscription is not None:
        subscription, subscriber.subscription = subscriber.subscription, None
        with suppress(nats.errors.Error):
            await subscription.unsubscribe()


async def _undecoded(message: NatsMessage) -> bytes:
    return message.body


def _broker_options(address: NatsAddress, group: str) -> dict[str, Any]:
    async def on_error(error: Exception) -> None:
        logger.error("nats error", extra={"error": f"{type(error).__name__}: {error}"})

    async def on_change() -> None:
        logger.info("nats connection changed")

    options = connect_options(address, f"{group}-work", on_error, on_change, on_change)
    del options["user"], options["password"]
    return {**options, "inbox_prefix": f"_INBOX_{address.user}"}
