"""What callers were answered a moment ago, so that the same question need not be put to the database again."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar
from uuid import UUID

from libs.messaging import Bus, heed, signal

TRUST_SECONDS = 5.0
"""For how long an answer of the database is believed: by then a removal is seen whose signal was lost."""
MOST_KNOWN = 10_000
"""Of how many questions the answers are remembered."""

T = TypeVar("T")
Tell = Callable[[str], Awaitable[None]]
"""Tells every process of the service that what has an id is gone; may be lost."""


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    answer: T
    of: UUID
    until: float


class Known(Generic[T]):
    """Answers by the organisation that asked and the path under which it did.

    An answer that was looked for before a removal must not be remembered after it: whoever asks the database takes
    `state` first, and gives it back with what was found.
    """

    def __init__(self, tell: Tell, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds from anywhere."""
        self._tell = tell
        self._clock = clock
        self._kept: OrderedDict[tuple[UUID, str], _Kept[T]] = OrderedDict()
        self._concerned: dict[UUID, set[tuple[UUID, str]]] = {}
        """What to forget with what has an id, or with an organisation."""
        self._removals = 0

    @property
    def state(self) -> int:
        """What `keep` wants back."""
        return self._removals

    def get(self, org_id: UUID, path: str) -> T | None:
        """Return what the organisation was answered under that path, if that was a moment ago."""
        kept = self._kept.get((org_id, path))
        if kept is None:
            return None
        if kept.until < self._clock():
            self._drop((org_id, path))
            return None
        return kept.answer

    def keep(self, org_id: UUID, path: str, answer: T, *, of: UUID, state: int) -> None:
        """Remember an answer `of` something, unless anything was removed since `state`."""
        if state != self._removals:
            return
        key = org_id, path
        self._drop(key)
        self._kept[key] = _Kept(answer, of, self._clock() + TRUST_SECONDS)
        for concerned in (of, org_id):
            self._concerned.setdefault(concerned, set()).add(key)
        while len(self._kept) > MOST_KNOWN:
            self._drop(next(iter(self._kept)))

    def forget(self, gone: UUID) -> None:
        """Believe nothing more about what has this id, or about anything of an organisation."""
        self._removals += 1
        for key in tuple(self._concerned.get(gone, ())):
            self._drop(key)

    def forget_all(self) -> None:
        """Believe nothing more."""
        self._removals += 1
        self._kept.clear()
        self._concerned.clear()

    async def removed(self, gone: UUID) -> None:
        """Forget what was just removed, here and in every other process."""
        self.forget(gone)
        await self._tell(str(gone))

    async def listen(self, bus: Bus, topic: str) -> None:
        """Hear of what other processes remove; what could not be heard may have been anything."""
        await heed(bus, topic, lambda heard: self.forget(UUID(heard.detail)))
        bus.on_reconnect(self.forget_all)

    def _drop(self, key: tuple[UUID, str]) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        for concerned in (kept.of, key[0]):
            keys = self._concerned[concerned]
            keys.discard(key)
            if not keys:
                del self._concerned[concerned]


def telling(bus: Bus, topic: str) -> Tell:
    """Return what tells every process that listens to a topic."""
    return partial(signal, bus, topic)
