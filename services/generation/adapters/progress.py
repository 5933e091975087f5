"""News of the progress of renditions, for whoever streams one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from nats.aio.subscription import Subscription

from libs.ids import parse_id
from libs.messaging import Bus, Signal, heed
from services.generation.domain.signals import FIRST, PROGRESS


class Following:
    """What is heard of a rendition: `news` whenever there is more of it, and its first piece as soon as it is spoken.

    Whoever waits for news clears them.
    """

    def __init__(self) -> None:
        """Nothing is heard yet."""
        self.news = asyncio.Event()
        self.first: bytes | None = None
        """The first piece as it is kept, if it was sent: before it can be read anywhere else."""


class Progress:
    """Wakes those who follow a rendition when there is more of it. A notice can be lost: look now and then, too."""

    def __init__(self, bus: Bus) -> None:
        """Nothing is heard before `start`."""
        self._bus = bus
        self._followers: dict[UUID, set[Following]] = {}
        self._subscriptions: list[Subscription] = []

    async def start(self) -> None:
        """Begin to listen."""
        self._subscriptions += [
            await heed(self._bus, PROGRESS, self._hear),
            await heed(self._bus, FIRST, self._hear_first),
        ]

    def _of(self, heard: Signal) -> set[Following]:
        rendition_id = parse_id(heard.detail)
        return self._followers.get(rendition_id, set()) if rendition_id else set()

    def _hear(self, heard: Signal) -> None:
        for follower in self._of(heard):
            follower.news.set()

    def _hear_first(self, heard: Signal) -> None:
        for follower in self._of(heard):
            follower.first = heard.content
            follower.news.set()

    @contextmanager
    def following(self, rendition_id: UUID) -> Iterator[Following]:
        """Yield what is heard of the rendition from now on."""
        follower = Following()
        self._followers.setdefault(rendition_id, set()).add(follower)
        try:
            yield follower
        finally:
            followers = self._followers[rendition_id]
            followers.discard(follower)
            if not followers:
                del self._followers[rendition_id]
