"""The messages of one durable as they come, with a pull request always outstanding.

The client library's own `fetch` either waits until a whole batch is full or asks for one message at a
time; this hands out whatever has arrived at once, and costs nothing while nothing arrives.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress

import nats.errors
import orjson
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.messaging.connection import Bus
from libs.messaging.delivery import give_back

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 60.0
"""How long one pull request waits on the server."""
HEARTBEAT_SECONDS = 10.0
"""How often the server says that it still knows of our request."""
ERROR_PAUSE = 0.5
"""Seconds before asking again when the server refused, for example while a stream changes its leader."""
DRAIN_SECONDS = 1.0
"""How long closing waits for messages that the server has sent already."""

_IDLE_HEARTBEAT = "100"
_REQUEST_ENDED = ("404", "408")


class Feed:
    """A stream of messages from `durable` on `stream`; the durable must exist."""

    def __init__(self, bus: Bus, stream: str, durable: str, batch: int) -> None:
        """At most `batch` messages are asked for and handed out at once."""
        self._bus = bus
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._name = f"{stream}/{durable}"
        self._batch = batch
        self._inbox = bus.client.new_inbox()
        self._subscription: Subscription | None = None
        self._arrived: deque[Msg] = deque()
        self._stirred = asyncio.Event()
        # How many messages the server still owes to the last request.
        self._expected = 0
        self._refused = False
        self._closed = False
        bus.on_reconnect(self._forget_request)

    async def open(self) -> None:
        """Subscribe; nothing is asked for yet."""
        self._subscription = await self._bus.client.subscribe(self._inbox, cb=self._receive)

    async def close(self) -> None:
        """Stop receiving; what has arrived and was not handed out goes back, for others to take at once."""
        self._closed = True
        if self._subscription is not None:
            # What is on its way here is waited for: dropped, it would be delivered again only after a while.
            with suppress(nats.errors.Error, TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._subscription.drain()  # type: ignore[no-untyped-call]  # the library has no types here
        while self._arrived:
            await give_back(self._arrived.popleft())

    async def next_batch(self) -> list[Msg]:
        """Wait for messages and return all that have arrived, at least one."""
        while not self._arrived:
            if self._refused:
                self._refused = False
                await asyncio.sleep(ERROR_PAUSE)
            if self._expected <= 0:
                await self._ask()
            self._stirred.clear()
            if self._arrived:
                break
            try:
                async with asyncio.timeout(2 * HEARTBEAT_SECONDS + 1):
                    await self._stirred.wait()
            except TimeoutError:
                # Not even a heartbeat: the server does not know of our request any more.
                self._expected = 0
        batch = [self._arrived.popleft() for _ in range(min(len(self._arrived), self._batch))]
        if self._batch > 1 and not self._arrived and self._expected <= 0:
            # The next ones come while these are applied.
            await self._ask()
        return batch

    def _forget_request(self) -> None:
        # The server that knew of our request may be gone with it; the waiting loop asks anew.
        self._expected = 0
        self._stirred.set()

    async def _ask(self) -> None:
        if self._closed:
            return
        request = {
            "batch": self._batch,
            "expires": int(REQUEST_SECONDS * 1e9),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
        }
        try:
            await self._bus.client.publish(self._subject, orjson.dumps(request), reply=self._inbox)
        except nats.errors.Error:
            self._refused = True
            return
        self._expected = self._batch

    async def _receive(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status") if not message.data else None
        if status is None:
            self._expected -= 1
            self._arrived.append(message)
        elif status != _IDLE_HEARTBEAT:
            self._expected = 0
            if status not in _REQUEST_ENDED:
                self._refused = True
                reason = (message.headers or {}).get("Description", "")
                logger.warning("pull refused", extra={"durable": self._name, "status": status, "reason": reason})
        self._stirred.set()
