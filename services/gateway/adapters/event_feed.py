"""What happens in the system, as clients may see it: read from the broker's streams once for all subscribers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import nats.errors
from nats.aio.subscription import Subscription

from libs.contracts.registry import EventType, UndecodableEvent, decode, event_type
from libs.ids import SYSTEM_ORG
from libs.messaging import Bus, reading
from libs.messaging.envelope import CONSUMER_HEADER
from libs.messaging.reading import Stored, StreamAway, StreamExtent
from services.gateway.domain.places import Place, mark_of
from services.gateway.domain.public_events import FORMS, PublicEvent, form_of, public_event

logger = logging.getLogger(__name__)

FOLLOWED: Sequence[EventType] = tuple(sorted((event_type(message) for message in FORMS), key=lambda one: one.name))
STREAMS: Sequence[str] = tuple(sorted({event.stream for event in FOLLOWED}))

KEPT_EVENTS = 5_000
"""The newest events, kept for subscribers who come back; about 5 MB."""
HISTORY = 2_000
"""How far back in each stream the feed begins, so that a replica that was just started knows what came before."""
POLL_SECONDS = 1.0
"""How long an event can be late when it was not heard on its way into the stream."""
FIRST_LOOK, LAST_LOOK = 0.05, 0.4
"""What was heard lies in the stream a moment later: seconds between looks at first and at last. Each asks the broker
two or three questions of every stream in which something happens, so this is what a busy minute costs."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event in the feed, and where it lies: the number of its stream, and its sequence there."""

    stream: int
    sequence: int
    org_id: UUID
    event: PublicEvent
    body: bytes


@dataclass(slots=True)
class _Followed:
    """How far one stream was read. Before `floor` nothing of it is kept here."""

    number: int
    name: str
    created: datetime | None = None
    position: int = 0
    floor: int = 0
    seen: bool = False
    doubted: bool = False
    quiet_before: datetime | None = None
    stirred: asyncio.Event = field(default_factory=asyncio.Event)


class EventFeed:
    """Reads the streams in their order, keeps the newest events, and tells those who listen.

    Everything between two awaits sees the same place: whoever takes over from it misses nothing and sees nothing twice.
    """

    def __init__(self, bus: Bus, clock: Callable[[], datetime]) -> None:
        """Reads nothing before `run`; `clock` is the one that dates events."""
        self._bus = bus
        self._clock = clock
        self._followed = [_Followed(number, name) for number, name in enumerate(STREAMS)]
        self._kept: deque[Told] = deque()
        self._mark = self._marked()
        self._ended = False
        self._ready = asyncio.Event()
        self._moved = asyncio.Event()
        self._tell: list[Callable[[Told], None]] = []
        self._lost: list[Callable[[], None]] = []

    def listen(self, tell: Callable[[Told], None], lost: Callable[[], None]) -> None:
        """Call `tell` with each event from now on, and `lost` when the broker lost a stream: there is a gap then."""
        self._tell.append(tell)
        self._lost.append(lost)

    @property
    def place(self) -> Place:
        """How far everything was told."""
        return Place(self._mark, tuple(stream.position for stream in self._followed))

    async def until_ready(self) -> None:
        """Wait until the feed has read what there was when it began."""
        await self._ready.wait()

    async def until_behind(self, place: Place) -> None:
        """Wait until the feed is at `place` or further: a client may come from a replica that was faster."""
        while any(sequence > stream.position for sequence, stream in self._of(place)):
            moved = self._moved
            self._stir()
            await moved.wait()

    async def run(self) -> None:
        """Read until cancelled; outages of the broker are waited out."""
        heard: list[Subscription] = []
        for stream in self._followed:
            events = [event for event in FOLLOWED if event.stream == stream.name]
            heard += await reading.hear(self._bus, events, stream.stirred.set)
        self._bus.on_reconnect(self._stir)
        following = [asyncio.create_task(self._follow(stream)) for stream in self._followed]
        try:
            done, _ = await asyncio.wait(following, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            # Where an answer of the broker comes just when a task is cancelled, the client library loses that.
            self._ended = True
            for one in following:
                one.cancel()
            for subscription in heard:
                with suppress(nats.errors.Error):
                    await subscription.unsubscribe()

    def _stir(self) -> None:
        for stream in self._followed:
            stream.stirred.set()

    async def _follow(self, stream: _Followed) -> None:
        while not self._ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await stream.stirred.wait()
            heard = stream.stirred.is_set()
            stream.stirred.clear()
            try:
                await self._look(stream, patiently=heard)
            except StreamAway as error:
                logger.warning("a stream cannot be read", extra={"stream": stream.name, "error": str(error)})
                await asyncio.sleep(POLL_SECONDS)

    async def _look(self, stream: _Followed, *, patiently: bool) -> None:
        """Take what the stream holds; `patiently` also what is on its way into it."""
        if patiently:
            await asyncio.sleep(FIRST_LOOK)
        await self._advance(stream)
        pause = FIRST_LOOK
        while patiently and pause < LAST_LOOK and not self._ended:
            await asyncio.sleep(pause)
            before = stream.position
            await self._advance(stream)
            pause = FIRST_LOOK if stream.position > before else 2 * pause

    async def _advance(self, stream: _Followed) -> None:
        held = await reading.extent(self._bus, stream.name)
        if stream.created is None:
            self._begin(stream, held)
        elif not self._is_continued(stream, held):
            return
        while stream.position < held.last and not self._ended:
            batch = await reading.read(self._bus, stream.name, stream.position)
            # Looked at afterwards: what was read is then known to be of the stream that was begun with.
            held = await reading.extent(self._bus, stream.name)
            if not batch or held.created != stream.created or held.last < batch[-1].sequence:
                return
            for message in batch:
                self._take(stream, message)
            self._moved.set()
            self._moved = asyncio.Event()
        stream.seen = True
        if all(one.seen for one in self._followed):
            self._ready.set()

    def _begin(self, stream: _Followed, held: StreamExtent) -> None:
        stream.created = held.created
        stream.position = stream.floor = max(held.first - 1, held.last - HISTORY)
        self._mark = self._marked()

    def _is_continued(self, stream: _Followed, held: StreamExtent) -> bool:
        """Say whether the stream goes on where it was read to; it is begun anew when it certainly does not."""
        if held.created == stream.created and held.last >= stream.position >= held.first - 1:
            stream.doubted = False
            return True
        if not stream.doubted:
            # A cluster that has just chosen a leader may answer from the past: it is asked once more.
            stream.doubted = True
            return False
        logger.warning("a stream was lost, subscribers are told", extra={"stream": stream.name})
        stream.doubted = False
        stream.created = held.created
        stream.position = stream.floor = held.last
        # What the broker lost is published again; subscribers have seen it, or were told that there is a gap.
        # Events are dated to the millisecond: what is of this one may be newer than this moment.
        now = self._clock()
        stream.quiet_before = now.replace(microsecond=now.microsecond // 1000 * 1000)
        for one in self._followed:
            one.floor = one.position
        self._kept.clear()
        self._mark = self._marked()
        for lost in self._lost:
            lost()
        return False

    def _marked(self) -> bytes:
        return mark_of({stream.name: stream.created for stream in self._followed})

    def _take(self, stream: _Followed, message: Stored) -> None:
        stream.position = message.sequence
        told = told_of(stream.number, message)
        if told is None or (stream.quiet_before is not None and told.event.created_at < stream.quiet_before):
            return
        self._kept.append(told)
        if len(self._kept) > KEPT_EVENTS:
            oldest = self._kept.popleft()
            self._followed[oldest.stream].floor = oldest.sequence
        for tell in self._tell:
            tell(told)

    def keeps(self, place: Place) -> bool:
        """Say whether everything behind `place` is kept here."""
        return all(sequence >= stream.floor for sequence, stream in self._of(place))

    def _of(self, place: Place) -> Iterable[tuple[int, _Followed]]:
        return zip(place.sequences, self._followed, strict=True)

    def kept_behind(self, place: Place) -> Iterator[Told]:
        """Yield what is kept behind `place`, in the order in which it was told."""
        return (told for told in self._kept if told.sequence > place.sequences[told.stream])

    async def missing_behind(self, place: Place) -> int | None:
        """Return how many messages lie behind `place`; None when some of them are gone. Raises StreamAway."""
        count = 0
        for sequence, stream in self._of(place):
            held = await reading.extent(self._bus, stream.name)
            if held.created != stream.created or not held.first - 1 <= sequence <= held.last:
                return None
            count += held.last - sequence
        return count

    async def read_behind(self, place: Place) -> AsyncIterator[tuple[Place, Sequence[Told]]]:
        """Read from the streams what lies behind `place`, up to where the feed is when this is called.

        Yields the place behind each batch, and what of it clients may see. Raises StreamAway.
        """
        target = self.place
        for number, name in enumerate(STREAMS):
            while place.sequences[number] < target.sequences[number]:
                batch = await reading.read(self._bus, name, place.sequences[number])
                if not batch:
                    raise StreamAway(f"{name} does not hold what it held")
                told = [told_of(number, message) for message in batch if message.sequence <= target.sequences[number]]
                place = place.at(number, min(batch[-1].sequence, target.sequences[number]))
                yield place, [one for one in told if one is not None]


def told_of(stream: int, message: Stored) -> Told | None:
    """Return what clients may see of a message; None where they see nothing."""
    headers = message.headers
    type_name, org_text = headers.get("ce-type", ""), headers.get("ce-orgid", "")
    # What is told again to one consumer alone was told to everybody before.
    if form_of(type_name) is None or CONSUMER_HEADER in headers or not org_text:
        return None
    org_id = UUID(org_text)
    if org_id == SYSTEM_ORG:
        return None
    try:
        event = decode(type_name, message.payload)
    except UndecodableEvent:
        # Those who consume it set it apart as a dead letter, for people to look at; here it is nothing to show.
        logger.error("an event cannot be shown", extra={"type": type_name, "sequence": message.sequence})  # noqa: TRY400 - the bytes may be a user's text
        return None
    shown = public_event(UUID(headers["ce-id"]), event)
    assert shown is not None
    return Told(stream, message.sequence, org_id, shown, shown.body())
