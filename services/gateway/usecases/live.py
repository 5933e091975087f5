"""Live events: who is told what, from where on, and until when."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from opentelemetry import metrics

from libs.messaging.reading import StreamAway
from services.gateway.adapters.event_feed import EventFeed, Told
from services.gateway.adapters.known_keys import KeyChange
from services.gateway.domain.access import Credential
from services.gateway.domain.live import (
    HEARTBEAT,
    SUBSCRIBERS,
    Ending,
    LossReason,
    TooManySubscribers,
    event_block,
    loss_block,
    place_block,
    retry_block,
)
from services.gateway.domain.places import Place, Seal
from services.gateway.usecases.subscriber import Subscriber

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
CATCH_UP_BYTES = 64 * 2**10
CATCH_UP_MESSAGES = 200_000
"""How far back subscribers are brought from the streams, counted in messages of the whole system: about 10 s of work.
Who was away for longer is told to read anew."""
CATCHING_UP = 4
"""How many subscribers read from the streams at the same time; most find what they missed among what is kept."""
READY_SECONDS = 5.0
BEATS_AT_ONCE = 100
RETRY_MILLISECONDS = (1_000, 4_000)
"""After which time clients come back, each after its own, so that not all come at once."""

_subscribers = metrics.get_meter("antiphon.gateway").create_up_down_counter(
    "antiphon.live.subscribers", description="Clients that are told events as they happen"
)


@dataclass(slots=True)
class _Organization:
    """The subscribers of an organisation; one of them at a time reads from the streams."""

    subscribers: set[Subscriber] = field(default_factory=set)
    catching_up: asyncio.Lock = field(default_factory=asyncio.Lock)


class Subscriptions:
    """All subscribers of this replica."""

    def __init__(self, feed: EventFeed, seal: Seal) -> None:
        """`seal` is the same in all replicas: a client goes on at another one than it was at."""
        self._feed = feed
        self._seal = seal
        self._organizations: defaultdict[UUID, _Organization] = defaultdict(_Organization)
        self._catching_up = asyncio.Semaphore(CATCHING_UP)
        self._stopped = False
        feed.listen(self._tell, self._lost)

    async def run(self) -> None:
        """Send heartbeats until cancelled: one timer for all."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            everybody = self._everybody()
            for first in range(0, len(everybody), BEATS_AT_ONCE):
                # The place comes along, so that a client that is told little need not be read much when it comes back.
                block = HEARTBEAT + place_block(self._seal.close(self._feed.place))
                for subscriber in everybody[first : first + BEATS_AT_ONCE]:
                    if time.monotonic() >= subscriber.valid_until:
                        subscriber.end("key_changed")
                    subscriber.beat(block)
                await asyncio.sleep(0)

    def stop(self) -> None:
        """End all subscriptions, and those that begin from now on: another replica goes on with them."""
        self._stopped = True
        self._end(self._everybody(), "restart")

    def end_changed(self, changes: Sequence[KeyChange]) -> None:
        """End the subscriptions that were made with keys of which something was changed: who still may comes back."""
        concerned = [one for one in self._everybody() if any(change.concerns(one.credential) for change in changes)]
        self._end(concerned, "key_changed")

    async def until_ready(self, credential: Credential) -> None:
        """Wait for the feed.

        Raises StreamAway when the broker is away for too long, TooManySubscribers when the plan allows no more of them.
        """
        self._require_room(credential)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._feed.until_ready()
        except TimeoutError as error:
            raise StreamAway("the streams were not read yet") from error

    def enter(self, subscriber: Subscriber) -> None:
        """Know a subscriber, which is to be caught up and told from then on. Raises TooManySubscribers.

        Many may have waited for the feed, each with room when it came.
        """
        self._require_room(subscriber.credential)
        self._organizations[subscriber.org_id].subscribers.add(subscriber)
        _subscribers.add(1)

    def _require_room(self, credential: Credential) -> None:
        organization, limit = self._organizations.get(credential.org_id), SUBSCRIBERS[credential.plan]
        if organization is not None and len(organization.subscribers) >= limit:
            raise TooManySubscribers(limit)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a subscriber whose connection has ended."""
        subscriber.leave()
        _subscribers.add(-1)
        subscribers = self._organizations[subscriber.org_id].subscribers
        subscribers.discard(subscriber)
        if not subscribers:
            del self._organizations[subscriber.org_id]

    async def catch_up(self, subscriber: Subscriber, last_event_id: str | None) -> None:
        """Bring `subscriber` to where the feed is, beginning behind `last_event_id`; then it is told everything.

        Raises StreamAway when what it missed cannot be read now, TimeoutError when it takes nothing.
        """
        await subscriber.put(retry_block(random.randint(*RETRY_MILLISECONDS)))  # noqa: S311 - spreads clients in time
        place = await self._begin(subscriber, last_event_id)
        if place.mark == self._feed.place.mark:
            place = await self._meet(subscriber, place)
        while not (subscriber.is_ending or self._stopped):
            if place.mark != self._feed.place.mark:
                place = await self._begin_anew(subscriber, "stream_lost")
            elif not self._feed.keeps(place):
                place = await self._read_missed(subscriber, place)
            else:
                blocks, place = self._kept_blocks(subscriber, place)
                if not blocks:
                    break
                await subscriber.put(b"".join(blocks))
        # Nothing was awaited since the look at what is kept: no event can come in between.
        subscriber.offer(place_block(self._seal.close(place)))
        if self._stopped:
            subscriber.end("restart")
        subscriber.join()

    async def _begin(self, subscriber: Subscriber, last_event_id: str | None) -> Place:
        """Return where to go on from."""
        if last_event_id is None:
            return self._feed.place
        return self._seal.open(last_event_id) or await self._begin_anew(subscriber, "unknown_id")

    async def _meet(self, subscriber: Subscriber, place: Place) -> Place:
        """Wait until the feed is at `place`, where the client was brought by another replica."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._feed.until_behind(place)
        except TimeoutError:
            return await self._begin_anew(subscriber, "unknown_id")
        return place

    async def _begin_anew(self, subscriber: Subscriber, reason: LossReason) -> Place:
        """Tell a client that it does not go on where it was; return where it goes on."""
        place = self._feed.place
        await subscriber.put(loss_block(reason, self._seal.close(place)))
        return place

    async def _read_missed(self, subscriber: Subscriber, place: Place) -> Place:
        async with self._organizations[subscriber.org_id].catching_up, self._catching_up:
            missing = await self._feed.missing_behind(place)
            if missing is None or missing > CATCH_UP_MESSAGES:
                return await self._begin_anew(subscriber, "expired")
            async for reached, told in self._feed.read_behind(place):
                blocks: list[bytes] = []
                for one in told:
                    place = place.at(one.stream, one.sequence)
                    self._add_if_wanted(blocks, subscriber, one, place)
                place = reached
                if blocks:
                    await subscriber.put(b"".join(blocks))
                if subscriber.is_ending:
                    break
        return place

    def _kept_blocks(self, subscriber: Subscriber, place: Place) -> tuple[list[bytes], Place]:
        """Return what of the kept events the subscriber wants, a part of it if it is much, and the place behind it."""
        blocks: list[bytes] = []
        size = 0
        for told in self._feed.kept_behind(place):
            if told.org_id != subscriber.org_id:
                continue
            place = place.at(told.stream, told.sequence)
            if self._add_if_wanted(blocks, subscriber, told, place):
                size += len(blocks[-1])
                if size > CATCH_UP_BYTES:
                    return blocks, place
        return blocks, self._feed.place

    def _add_if_wanted(self, blocks: list[bytes], subscriber: Subscriber, told: Told, place: Place) -> bool:
        event = told.event
        if told.org_id != subscriber.org_id or not subscriber.wanted.matches(event.type, event.data):
            return False
        blocks.append(event_block(event.type, told.body, self._seal.close(place)))
        return True

    def _tell(self, told: Told) -> None:
        organization = self._organizations.get(told.org_id)
        if organization is None:
            return
        event, block = told.event, b""
        for subscriber in organization.subscribers:
            if subscriber.is_joined and subscriber.wanted.matches(event.type, event.data):
                block = block or event_block(event.type, told.body, self._seal.close(self._feed.place))
                subscriber.offer(block)

    def _lost(self) -> None:
        block = loss_block("stream_lost", self._seal.close(self._feed.place))
        for subscriber in self._everybody():
            if subscriber.is_joined:
                subscriber.offer(block)

    def _everybody(self) -> Sequence[Subscriber]:
        return [one for organization in self._organizations.values() for one in organization.subscribers]

    def _end(self, subscribers: Iterable[Subscriber], ending: Ending) -> None:
        for subscriber in subscribers:
            subscriber.end(ending)
