"""Keys that were looked up a moment ago: a proxied request asks no database."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from services.gateway.domain.access import Credential

KNOWN_SECONDS = 30.0
"""For how long a key goes on opening the door after it was revoked, at most."""
UNKNOWN_SECONDS = 1.0
"""For how long a refused key is refused without a look: a client that repeats it costs one query a second."""
MAX_KEYS = 10_000
"""About 3 MB."""


@dataclass(frozen=True, slots=True)
class _Answer:
    credential: Credential | None
    until: float


class KnownKeys:
    """Credentials by the digest of their key.

    Bounded in time and number; keys themselves are not kept. However many requests come with one key that is not
    known, it is looked up once.
    """

    def __init__(self, look_up: Callable[[bytes], Awaitable[Credential | None]], clock: Callable[[], float]) -> None:
        """`clock` counts seconds and never goes back."""
        self._look_up = look_up
        self._clock = clock
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[Credential | None]] = {}

    def get(self, digest: bytes) -> Credential | None:
        """Return whose key has this digest, as far as that is known already."""
        answer = self._answers.get(digest)
        if answer is None or self._clock() >= answer.until:
            return None
        self._answers.move_to_end(digest)
        return answer.credential

    async def find(self, digest: bytes) -> Credential | None:
        """Return whose key has this digest, or None; raises what looking it up raises."""
        answer = self._answers.get(digest)
        if answer is not None and self._clock() < answer.until:
            self._answers.move_to_end(digest)
            return answer.credential
        running = self._running.get(digest)
        if running is None:
            running = asyncio.create_task(self._ask(digest))
            self._running[digest] = running
            running.add_done_callback(partial(self._finished, digest))
        # Shielded: a client that goes away takes nobody else's answer with it.
        return await asyncio.shield(running)

    async def _ask(self, digest: bytes) -> Credential | None:
        credential = await self._look_up(digest)
        seconds = UNKNOWN_SECONDS if credential is None else KNOWN_SECONDS
        self._answers[digest] = _Answer(credential, self._clock() + seconds)
        self._answers.move_to_end(digest)
        if len(self._answers) > MAX_KEYS:
            self._answers.popitem(last=False)
        return credential

    def _finished(self, digest: bytes, task: asyncio.Task[Credential | None]) -> None:
        del self._running[digest]
        if not task.cancelled():
            # Whoever asked has got it; should all of them have gone away, nobody is left to be told.
            task.exception()
