"""What requests for small audio were answered a moment ago, so that the same one need not ask the database again."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.messaging import Bus, heed
from services.storage.domain.delivery import Representation
from services.storage.domain.signals import REMOVED

TRUST_SECONDS = 5.0
"""For how long an answer of the database is believed: by then a removal is seen whose signal was lost."""
MOST_KNOWN = 10_000
"""Of how many requests the answers are remembered, about 1 kB each."""

Headers = Sequence[tuple[bytes, bytes]]
Tell = Callable[[str], Awaitable[None]]
"""Tells every process of the service that the audio of an id is gone; may be lost."""


@dataclass(frozen=True, slots=True)
class KnownTrack:
    """Audio that an organisation may have, and how it is sent: `headers` those of the whole, and of 304 without."""

    audio_id: UUID
    object_key: str
    representation: Representation
    headers: Headers
    unchanged_headers: Headers


@dataclass(frozen=True, slots=True)
class _Kept:
    track: KnownTrack
    until: float


class KnownTracks:
    """Tracks by the organisation that asked and the path under which it did.

    An answer that began before a removal must not be remembered after it: whoever asks the database takes `state`
    first, and gives it back with what was found.
    """

    def __init__(self, tell: Tell, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds from anywhere."""
        self._tell = tell
        self._clock = clock
        self._kept: OrderedDict[tuple[UUID, str], _Kept] = OrderedDict()
        self._concerned: dict[UUID, set[tuple[UUID, str]]] = {}
        """What to forget with some audio, or with an organisation."""
        self._removals = 0

    @property
    def state(self) -> int:
        """What `keep` wants back."""
        return self._removals

    def get(self, org_id: UUID, path: str) -> KnownTrack | None:
        """Return what the organisation was answered under that path, if that was a moment ago."""
        kept = self._kept.get((org_id, path))
        if kept is None:
            return None
        if kept.until < self._clock():
            self._drop((org_id, path))
            return None
        return kept.track

    def keep(self, org_id: UUID, path: str, track: KnownTrack, state: int) -> None:
        """Remember an answer, unless something was removed since `state`."""
        if state != self._removals:
            return
        key = org_id, path
        self._drop(key)
        self._kept[key] = _Kept(track, self._clock() + TRUST_SECONDS)
        for concerned in (track.audio_id, org_id):
            self._concerned.setdefault(concerned, set()).add(key)
        while len(self._kept) > MOST_KNOWN:
            self._drop(next(iter(self._kept)))

    def forget(self, gone: UUID) -> None:
        """Believe nothing more about some audio, or about any of an organisation."""
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

    async def listen(self, bus: Bus) -> None:
        """Hear of what other processes remove; what could not be heard may have been anything."""
        await heed(bus, REMOVED, lambda heard: self.forget(UUID(heard.detail)))
        bus.on_reconnect(self.forget_all)

    def _drop(self, key: tuple[UUID, str]) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        for concerned in (kept.track.audio_id, key[0]):
            keys = self._concerned[concerned]
            keys.discard(key)
            if not keys:
                del self._concerned[concerned]
