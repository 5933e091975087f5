"""The messages of one durable as they come, with a pull request always outstanding.

The client library's own `fetch` either waits until a whole batch is full or asks for one message at a
time; this hands out whatever has arrived at once, and costs nothing while nothing arrives.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import nats.errors
import orjson
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.messaging.connection import Bus

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 60.0
"""How long one pull request waits on the server."""
HEARTBEAT_SECONDS = 10.0
"""How often the server says that it still knows of our request."""
ERROR_PAUSE = 0.5
"""Seconds before asking again when the server refused, for example while a stream changes its leader."""


class Feed:
    """A stream of messages from `durable` on `stream`; the durable must exist."""

    def __init__(self, bus: Bus, stream: str, durable: str, batch: int) -> None:
        """At most `batch` messages are outstanding and handed out at once."""
        self._bus = bus
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._name = f"{stream}/{durable}"
        self._batch = batch
        self._expected = 0
        self._subscription: Subscription | None = None
        self._inbox = bus.client.new_inbox()
        self._renewal: asyncio.Task[None] | None = None
        bus.on_reconnect(self._renew_request)

    def _renew_request(self) -> None:
        # The server that knew of our request may be gone with it.
        if self._subscription is not None:
            self._renewal = asyncio.get_running_loop().create_task(self._ask())

    async def open(self) -> None:
        """Subscribe; nothing is asked for yet."""
        self._subscription = await self._bus.client.subscribe(self._inbox)

    async def close(self) -> None:
        """Stop receiving; what was delivered and not acknowledged comes again elsewhere."""
        if self._subscription is not None:
            with suppress(nats.errors.Error):
                await self._subscription.unsubscribe()

    async def next_batch(self) -> list[Msg]:
        """Wait for messages and return all that have arrived, at least one."""
        if self._subscription is None:
            await self.open()
        while True:
            first = await self._next()
            if first is not None:
                return [first, *self._arrived()]

    async def _next(self) -> Msg | None:
        assert self._subscription is not None
        if self._expected <= 0:
            await self._ask()
        try:
            message = await self._subscription.next_msg(timeout=2 * HEARTBEAT_SECONDS + 1)
        except (TimeoutError, nats.errors.TimeoutError):
            self._expected = 0
            return None
        return message if await self._is_event(message) else None

    def _arrived(self) -> list[Msg]:
        assert self._subscription is not None
        queue = self._subscription._pending_queue
        taken: list[Msg] = []
        while len(taken) < self._batch - 1 and not queue.empty():
            message = queue.get_nowait()
            self._subscription._pending_size -= len(message.data)
            if self._status(message) is None:
                self._expected -= 1
                taken.append(message)
            else:
                self._note_status(message)
        return taken

    async def _ask(self) -> None:
        request = {
            "batch": self._batch,
            "expires": int(REQUEST_SECONDS * 1e9),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
        }
        try:
            await self._bus.client.publish(self._subject, orjson.dumps(request), reply=self._inbox)
        except nats.errors.Error:
            await asyncio.sleep(ERROR_PAUSE)
            return
        self._expected = self._batch

    async def _is_event(self, message: Msg) -> bool:
        if self._status(message) is None:
            self._expected -= 1
            return True
        if self._note_status(message):
            await asyncio.sleep(ERROR_PAUSE)
        return False

    @staticmethod
    def _status(message: Msg) -> str | None:
        return (message.headers or {}).get("Status") if not message.data else None

    def _note_status(self, message: Msg) -> bool:
        """Take in a status; return whether it was a refusal."""
        status = self._status(message)
        if status == "100":
            return False
        self._expected = 0
        refused = status not in ("404", "408")
        if refused:
            description = (message.headers or {}).get("Description", "")
            logger.warning("pull refused", extra={"durable": self._name, "status": status, "reason": description})
        return refused
