"""Runs jobs: one event, one handler call, as many at a time as the declaration allows.

What becomes of a message is decided where the projections decide it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from faststream import AckPolicy
from faststream.nats import JStream, NatsMessage, PullSub
from nats.aio.msg import Msg

from libs.contracts.registry import UndecodableEvent, UnknownEvent
from libs.database import Database
from libs.messaging.connection import Bus
from libs.messaging.declarations import Consumers, Delivery, Work
from libs.messaging.delivery import DeadLetterOffice, acknowledge, give_back, heartbeat, tries_of
from libs.messaging.dispatch import Dispatcher, Jobs
from libs.messaging.envelope import Received, is_addressed_to, open_envelope
from libs.messaging.tombstones import is_erased
from libs.messaging.topology import work_durable
from libs.messaging.tracing import process_span, record_outcome

logger = logging.getLogger(__name__)

CANCEL_SECONDS = 1.0
"""How long a job that is cancelled may take to give its message back."""


class WorkRunner:
    """Takes the jobs that a group declares and runs them."""

    # Any: the service's own dependencies.
    def __init__(self, bus: Bus, database: Database, consumers: Consumers, deps: Any) -> None:
        """Takes nothing before `start`; `deps` is what every handler gets, `database` says who is erased."""
        self._bus = bus
        self._database = database
        self._deps = deps
        self._stopping = False
        self._jobs = Jobs()
        declared_as = {work_durable(consumers.group, declared): declared for declared in consumers.works}
        hands = {durable: declared.concurrency for durable, declared in declared_as.items()}
        self._broker = Dispatcher(bus, self._jobs, hands)
        for durable, declared in declared_as.items():
            self._subscribe(durable, declared)

    def _subscribe(self, durable: str, declared: Work) -> None:
        subscriber = self._broker.subscriber(
            declared.event.subject,
            stream=JStream(declared.event.stream, declare=False),
            durable=durable,
            pull_sub=PullSub(),
            max_workers=declared.concurrency,
            ack_policy=AckPolicy.MANUAL,
            decoder=_undecoded,
            no_reply=True,
        )
        subscriber(self._handler(declared, durable))

    def _handler(self, declared: Work, durable: str) -> Callable[[bytes], Awaitable[None]]:
        office = DeadLetterOffice(self._bus.jetstream, durable, declared.policy)

        async def handle(_body: bytes) -> None:
            delivered: NatsMessage = self._broker.context.get_local("message")
            message: Msg = delivered.raw_message
            if self._stopping:
                await give_back(message)
                self._jobs.done(message)
            else:
                await self._jobs.run(message, self._job(declared, durable, office, message))

        return handle

    async def _job(self, declared: Work, durable: str, office: DeadLetterOffice, message: Msg) -> None:
        if not is_addressed_to(message, durable):
            await acknowledge(self._bus, [message])
            record_outcome(durable, "skipped")
            return
        started = time.monotonic()
        async with heartbeat([message], declared.policy.ack_wait):
            try:
                received = open_envelope(message)
            except (UnknownEvent, UndecodableEvent) as error:
                await office.fail(message, error)
                return
            delivery = Delivery(received.event, str(received.event_id), tries_of(message))
            try:
                is_dropped = not declared.of_erased and await is_erased(self._database, received.org_id)
                if not is_dropped:
                    await self._call(declared, durable, received, delivery)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is judged, never dropped
                await self._failed(declared, office, message, delivery, error)
                return
        await acknowledge(self._bus, [message])
        outcome = "erased" if is_dropped else "applied"
        record_outcome(durable, outcome, seconds=time.monotonic() - started)

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
        """Begin to take jobs."""
        await self._broker.start()

    async def stop(self, timeout: float) -> None:
        """Take no more jobs, give those that run `timeout` seconds, then stop them.

        What was taken and is not done by then is given back, and delivered again here or elsewhere.
        """
        self._stopping = True
        await self._broker.stop_pulling()
        if not await self._jobs.until_done(timeout):
            self._jobs.cancel()
            await self._jobs.until_done(CANCEL_SECONDS)
        await self._broker.stop()


async def _undecoded(message: NatsMessage) -> bytes:
    return message.body
