"""One client that is told events, as fast as it takes them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from opentelemetry import metrics

from services.gateway.domain.access import Credential
from services.gateway.domain.live import Ending, ending_block
from services.gateway.domain.public_events import Wanted

BUFFER_BYTES = 256 * 2**10
"""What may wait for one subscriber, besides what its connection holds (64 KiB and the kernel's buffers)."""
STALLED_BEATS = 2
"""Heartbeats after which a subscriber that takes nothing at all is cut off."""
PUT_SECONDS = 30.0
"""How long a client that comes back may take nothing of what it missed."""

Write = Callable[[bytes, bool], Awaitable[None]]
"""Takes a piece of the answer, and whether more follows; waits while the client does not keep up."""

_ended = metrics.get_meter("antiphon.gateway").create_counter(
    "antiphon.live.ended", description="Subscriptions that the gateway ended, by the reason"
)


class Subscriber:
    """One client: what it wants, and what waits to be written to it.

    It costs no task of its own: one runs only while there is something to write.
    """

    __slots__ = (
        "_cut",
        "_ending",
        "_pending",
        "_size",
        "_stalled",
        "_writer",
        "credential",
        "is_joined",
        "org_id",
        "valid_until",
        "wanted",
        "write",
    )

    def __init__(self, credential: Credential, wanted: Wanted, write: Write, cut: Callable[[], None]) -> None:
        """`cut` ends the connection as it is, for a client that takes nothing any more."""
        self.org_id, self.credential, self.wanted = credential.org_id, credential, wanted
        valid = credential.valid_seconds
        self.valid_until = math.inf if valid is None else time.monotonic() + valid
        self.write, self._cut = write, cut
        self.is_joined = False
        self._pending: list[bytes] = []
        self._size = 0
        self._stalled = 0
        self._writer: asyncio.Task[None] | None = None
        self._ending: bytes | None = None

    @property
    def is_ending(self) -> bool:
        """Say whether nothing more is told to it."""
        return self._ending is not None

    @property
    def is_idle(self) -> bool:
        """Say whether everything was written."""
        return self._writer is None

    def join(self) -> None:
        """Write what is offered from now on."""
        self.is_joined = True
        self._wake()

    def offer(self, block: bytes) -> None:
        """Write `block` when the client takes it; a client with too much waiting is ended."""
        if self._ending is not None:
            return
        if self._size + len(block) > BUFFER_BYTES:
            self.end("too_slow")
            return
        self._pending.append(block)
        self._size += len(block)
        self._wake()

    def end(self, ending: Ending) -> None:
        """Write why this ends, and end it. What was too slow does not get the rest: it comes back for it."""
        if self._ending is not None:
            return
        _ended.add(1, {"reason": ending})
        self._ending = ending_block(ending)
        if ending != "restart":
            self._pending.clear()
        self._wake()

    def beat(self, block: bytes) -> None:
        """Write a heartbeat, unless there is more than that to write."""
        if not self.is_joined:
            return
        if self.is_idle:
            self._stalled = 0
            self.offer(block)
            return
        self._stalled += 1
        if self._stalled >= STALLED_BEATS:
            self._cut()

    def leave(self) -> None:
        """Write nothing more: the connection is gone."""
        self._ending = self._ending or b""
        if self._writer is not None:
            self._writer.cancel()

    def _wake(self) -> None:
        if self._writer is None and self.is_joined and (self._pending or self._ending is not None):
            self._writer = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self._pending:
                piece = b"".join(self._pending)
                self._pending.clear()
                await self.write(piece, True)
                self._size -= len(piece)
                self._stalled = 0
            if self._ending is not None:
                await self.write(self._ending, False)
        finally:
            self._writer = None

    async def put(self, block: bytes) -> None:
        """Write to a subscriber that is not told anything yet; raises TimeoutError when it does not take it."""
        async with asyncio.timeout(PUT_SECONDS):
            await self.write(block, True)
