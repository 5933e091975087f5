"""Keys that were looked up a moment ago: a proxied request asks no database."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from services.gateway.domain.access import Credential

KNOWN_SECONDS = 30.0
"""For how long a key is remembered, while it is known that nothing was changed."""
UNKNOWN_SECONDS = 1.0
"""For how long a refused key is refused without a look: a client that repeats it costs one query a second."""
TRUSTED_SECONDS = 1.8
"""For how long after a look at what was changed keys are trusted: one that was revoked is refused within 2 s."""
MAX_KEYS = 10_000
"""About 3 MB."""


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Something about an organisation's keys was changed: about one, about those of a person, or about all of them."""

    org_id: UUID
    key_id: UUID | None
    user_id: UUID | None

    def concerns(self, credential: Credential) -> bool:
        """Say whether `credential` may be out of date."""
        return (
            credential.org_id == self.org_id
            and self.key_id in (None, credential.key_id)
            and self.user_id in (None, credential.user_id)
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    credential: Credential | None
    until: float


class KnownKeys:
    """Credentials by the digest of their key.

    Bounded in time and number; keys themselves are not kept. However many requests come with one key that is not
    known, it is looked up once. Nothing that is remembered counts unless `trust` was called a moment ago.
    """

    def __init__(self, look_up: Callable[[bytes], Awaitable[Credential | None]], clock: Callable[[], float]) -> None:
        """`clock` counts seconds and never goes back."""
        self._look_up = look_up
        self._clock = clock
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[Credential | None]] = {}
        self._trusted_until = clock()

    def trust(self, looked_at: float) -> None:
        """Go on remembering: at that moment, by the clock, all changes were looked at and heeded."""
        self._trusted_until = looked_at + TRUSTED_SECONDS

    def forget(self, changes: Sequence[KeyChange]) -> None:
        """Look up anew what was changed."""
        if not changes:
            return
        # What is being looked up may have been read before the change.
        self._running.clear()
        stale = [
            digest
            for digest, answer in self._answers.items()
            if answer.credential is not None and any(change.concerns(answer.credential) for change in changes)
        ]
        for digest in stale:
            del self._answers[digest]

    def forget_all(self) -> None:
        """Look up every key anew."""
        self._running.clear()
        self._answers.clear()

    def knew(self, digest: bytes) -> bool:
        """Say whether a key with this digest opened the door a moment ago, whether or not it still does."""
        answer = self._answers.get(digest)
        return answer is not None and answer.credential is not None

    def get(self, digest: bytes) -> Credential | None:
        """Return whose key has this digest, as far as that is known already and sure."""
        answer = self._remembered(digest)
        return answer.credential if answer is not None else None

    async def find(self, digest: bytes) -> Credential | None:
        """Return whose key has this digest, or None; raises what looking it up raises."""
        answer = self._remembered(digest)
        if answer is not None:
            return answer.credential
        running = self._running.get(digest)
        if running is None:
            running = asyncio.create_task(self._look_up_key(digest))
            self._running[digest] = running
            running.add_done_callback(partial(self._finished, digest))
        # Shielded: a client that goes away takes nobody else's answer with it.
        return await asyncio.shield(running)

    def _remembered(self, digest: bytes) -> _Answer | None:
        answer = self._answers.get(digest)
        if answer is None or self._clock() >= min(answer.until, self._trusted_until):
            return None
        self._answers.move_to_end(digest)
        return answer

    async def _look_up_key(self, digest: bytes) -> Credential | None:
        began = self._clock()
        credential = await self._look_up(digest)
        if self._running.get(digest) is asyncio.current_task():
            self._remember(digest, credential, began)
        return credential

    def _remember(self, digest: bytes, credential: Credential | None, began: float) -> None:
        seconds = UNKNOWN_SECONDS if credential is None else KNOWN_SECONDS
        if credential is not None and credential.valid_seconds is not None:
            seconds = min(seconds, credential.valid_seconds)
        self._answers[digest] = _Answer(credential, began + seconds)
        self._answers.move_to_end(digest)
        if len(self._answers) > MAX_KEYS:
            self._answers.popitem(last=False)

    def _finished(self, digest: bytes, task: asyncio.Task[Credential | None]) -> None:
        if self._running.get(digest) is task:
            del self._running[digest]
        if not task.cancelled():
            # Whoever asked has got it; should all of them have gone away, nobody is left to be told.
            task.exception()
