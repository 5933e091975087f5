"""FastStream, fed by our own feeds on the process's own connection, and able to stop without losing a job.

The client library's `fetch` waits in vain for up to its whole timeout when the broker restarts, and spins
when a durable is missing; FastStream drops what lies in its queue when it stops. Both are mended here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from libs.messaging.connection import PUBLISH_TIMEOUT, Bus
from libs.messaging.delivery import give_back
from libs.messaging.feed import Feed


class Jobs:
    """What was taken from the broker and is not finished, running or still in FastStream's queue."""

    def __init__(self) -> None:
        """Nothing is taken yet."""
        self._taken: dict[int, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def take(self, message: Msg, when_done: Callable[[], None]) -> None:
        """Count `message` until its job has run; `when_done` is called then."""
        self._taken[id(message)] = when_done
        self._idle.clear()

    async def run(self, message: Msg, job: Coroutine[object, object, None]) -> None:
        """Run the job of `message`; when it is cancelled, the message goes back."""
        # A task of its own: cancelling FastStream's would end its whole group of tasks.
        task = asyncio.create_task(job)
        self._tasks.add(task)
        try:
            await asyncio.wait({task})
            if task.cancelled():
                await give_back(message)
            else:
                task.result()
        finally:
            task.cancel()
            self._tasks.discard(task)
            self.done(message)

    def done(self, message: Msg) -> None:
        """The job of `message` has run, or will not."""
        self._taken.pop(id(message))()
        if not self._taken:
            self._idle.set()

    def cancel(self) -> None:
        """Cancel what runs."""
        for task in list(self._tasks):
            task.cancel()

    async def until_done(self, timeout: float) -> bool:
        """Wait until nothing is left; False when that takes more than `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


class Dispatcher(NatsBroker):
    """FastStream's broker without a connection of its own."""

    def __init__(self, bus: Bus, jobs: Jobs, hands: Mapping[str, int]) -> None:
        """Messages are counted in `jobs` as they are taken; `hands`: of each durable, how many at a time."""
        super().__init__(logger=None, apply_types=False)
        self._bus = bus
        self._pulls = _Pulls(bus, jobs, hands)

    async def _connect(self) -> Client:
        self.config.connect(self._bus.client)
        self.config.connection_state.connect(self._bus.client, self._pulls)
        return self._bus.client

    async def stop_pulling(self) -> None:
        """Take nothing more; what was taken and not handed to FastStream goes back."""
        for pull in self._pulls.opened:
            await pull.unsubscribe()

    async def stop(self, *_error: object) -> None:
        """End all subscribers and leave the connection, which is the process's, open."""
        for subscriber in self.subscribers:
            await subscriber.stop()
        self._connection = None
        self.config.disconnect()


class _Pulls(JetStreamContext):
    """Gives FastStream our feeds where it asks for the client library's pull subscriptions."""

    def __init__(self, bus: Bus, jobs: Jobs, hands: Mapping[str, int]) -> None:
        super().__init__(bus.client, timeout=PUBLISH_TIMEOUT)
        self._bus = bus
        self._jobs = jobs
        self._hands = hands
        self.opened: list[_Pull] = []

    # Any: FastStream passes the client library's many options; which durable of which stream is all that counts.
    async def pull_subscribe(self, *_arguments: Any, durable: str, stream: str, **_options: Any) -> _Pull:  # type: ignore[override]
        feed = Feed(self._bus, stream, durable, batch=1)
        await feed.open()
        self.opened.append(_Pull(feed, self._jobs, self._hands[durable]))
        return self.opened[-1]


class _Pull:
    """The part of a pull subscription that FastStream uses.

    It asks for a message when there is a hand free for it: what waits here could be done elsewhere.
    """

    def __init__(self, feed: Feed, jobs: Jobs, hands: int) -> None:
        self._feed = feed
        self._jobs = jobs
        self._free_hands = asyncio.Semaphore(hands)
        self._closed = False

    async def fetch(self, **_options: object) -> list[Msg]:
        await self._free_hands.acquire()
        try:
            (message,) = await self._feed.next_batch()
        except BaseException:
            self._free_hands.release()
            raise
        self._jobs.take(message, self._free_hands.release)
        return [message]

    async def unsubscribe(self) -> None:
        if not self._closed:
            self._closed = True
            await self._feed.close()
