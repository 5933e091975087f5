"""Reading a stream from any place in it, again and again, without a consumer on the broker.

Whoever shows events to others, as the gateway does to its subscribers, keeps the places itself. All that this needs
is the right to look: nothing on the broker is made, changed or acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import nats.errors
import nats.js.errors
import orjson
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.errors import NotFoundError

from libs.contracts.registry import EventType
from libs.messaging.connection import Bus

ANSWER_SECONDS = 5.0
"""How long one request may take; a broker that is away answers never."""
BATCH_EVENTS = 256
BATCH_BYTES = 2**20
"""What one request brings at most, and one event."""

_END_OF_BATCH, _NOTHING = "204", "404"


class StreamAway(Exception):
    """The broker, or the stream on it, cannot be read right now."""


@dataclass(frozen=True, slots=True)
class StreamExtent:
    """What a stream holds: the sequences `first` to `last`; `first` is one more than `last` when it is empty.

    `created` tells a stream from another one of the same name that was there before.
    """

    created: datetime
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as a stream holds it; `event_id` and the like stand in its headers."""

    sequence: int
    headers: dict[str, str]
    payload: bytes


async def extent(bus: Bus, stream: str) -> StreamExtent:
    """Return what `stream` holds now; raises StreamAway."""
    try:
        info = await bus.jetstream.stream_info(stream)
    except (OSError, TimeoutError, NotFoundError, nats.errors.Error, nats.js.errors.Error) as error:
        raise StreamAway(stream) from error
    if info.created is None:
        raise StreamAway(f"the broker does not say when {stream} was created")
    return StreamExtent(info.created, info.state.first_seq or info.state.last_seq + 1, info.state.last_seq)


async def read(bus: Bus, stream: str, after: int, *, limit: int = BATCH_EVENTS) -> Sequence[Stored]:
    """Return what follows the sequence `after`, in its order: some, or nothing where nothing follows yet.

    Raises StreamAway.
    """
    request = {"seq": after + 1, "batch": limit, "max_bytes": BATCH_BYTES}
    inbox = bus.client.new_inbox()
    found: list[Stored] = []
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def take(message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status") if not message.data else None
        if done.done():
            return
        if status is None:
            found.append(Stored(int(headers["Nats-Sequence"]), headers, message.data))
        elif status == _NOTHING or (status == _END_OF_BATCH and _is_whole(found, headers)):
            done.set_result(None)
        else:
            done.set_exception(StreamAway(f"{stream} cannot be read: {status}"))

    try:
        subscription = await bus.client.subscribe(inbox, cb=take)
        try:
            await bus.client.publish(f"$JS.API.DIRECT.GET.{stream}", orjson.dumps(request), reply=inbox)
            async with asyncio.timeout(ANSWER_SECONDS):
                await done
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise StreamAway(stream) from error
    return found


def _is_whole(found: Sequence[Stored], end: dict[str, str]) -> bool:
    """Say whether the last message that was sent is the last that came: a lost connection takes some with it."""
    last = found[-1].sequence if found else 0
    return int(end.get("Nats-Last-Sequence", "0")) == last


async def hear(bus: Bus, events: Sequence[EventType], stir: Callable[[], None]) -> Sequence[Subscription]:
    """Call `stir` for each event of these types that is on its way into its stream; it may not lie there yet."""

    async def stirred(_message: Msg) -> None:
        stir()

    callback: Callable[[Msg], Awaitable[None]] = stirred
    return [await bus.client.subscribe(event.subject, cb=callback) for event in events]
