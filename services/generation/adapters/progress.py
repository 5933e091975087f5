"""News of the progress of renditions, for whoever streams one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from nats.aio.subscription import Subscription

from libs.ids import parse_id
from libs.messaging import Bus, Signal, heed
from services.generation.domain.signals import PROGRESS


class Progress:
    """Wakes those who follow a rendition when there is more of it. A notice can be lost: look now and then, too."""

    def __init__(self, bus: Bus) -> None:
        """Nothing is heard before `start`."""
        self._bus = bus
        self._followers: dict[UUID, set[asyncio.Event]] = {}
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Begin to listen."""
        self._subscription = await heed(self._bus, PROGRESS, self._hear)

    def _hear(self, heard: Signal) -> None:
        rendition_id = parse_id(heard.detail)
        for follower in self._followers.get(rendition_id, ()) if rendition_id else ():
            follower.set()

    @contextmanager
    def following(self, rendition_id: UUID) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever there is more of the rendition; whoever waits for it clears it."""
        news = asyncio.Event()
        self._followers.setdefault(rendition_id, set()).add(news)
        try:
            yield news
        finally:
            followers = self._followers[rendition_id]
            followers.discard(news)
            if not followers:
                del self._followers[rendition_id]
