"""The relay of one shard: who leads publishes the shard of the outbox in its order, and archives it."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg
from nats.js.api import StreamConfig
from opentelemetry import metrics
from opentelemetry.instrumentation.utils import suppress_instrumentation

from libs.messaging import inbox
from libs.messaging.connection import Bus
from libs.messaging.upkeep import ensure_stream
from libs.outbox import positions
from libs.outbox.archiving import INTERRUPTIONS, Archiving
from libs.outbox.positions import StreamPosition
from libs.outbox.publish import publish_in_order
from libs.outbox.shards import Shard

logger = logging.getLogger(__name__)

BATCH_EVENTS = 500
BATCH_BYTES = 4 * 2**20
BUSY_EVENTS, GATHER_SECONDS = 50.0, 0.004
"""Sent within about a second, so many make it worth as long to send and archive several together."""
FLOOD_EVENTS, FLOOD_GATHER_SECONDS = 150.0, 0.02
POLL_SECONDS = 2.0
"""How long a lost wake-up can delay an event."""
STANDBY_SECONDS = 1.0
"""How often a standby tries to become the leader."""
ERROR_PAUSE, ERROR_PAUSE_MAX = 0.1, 3.0
MAINTENANCE_SECONDS = 3600.0
LOOK_SECONDS = 15.0
"""How often the stream is compared with the archive, and the outbox measured, when nothing else asks for it."""
SECOND_LOOK_SECONDS = 1.0
"""A cluster that has just chosen a leader may answer from the past: what is missing must be missing twice."""
DOUBT_SECONDS = 300.0
"""For how long after a reconnection places may be taken that the archive knows: longer than a publication is tried."""

_meter = metrics.get_meter("antiphon.outbox")
_published = _meter.create_counter("antiphon.outbox.published", description="Events sent to the broker")
_recalled = _meter.create_counter("antiphon.outbox.recalled", description="Events sent again as the broker lost them")
_lag = _meter.create_histogram("antiphon.outbox.lag", unit="s", description="From commit to the broker's answer")
_depth = _meter.create_gauge("antiphon.outbox.depth", description="Events that wait to be sent")
_age = _meter.create_gauge("antiphon.outbox.age", unit="s", description="How long the oldest of them has waited")


class StreamBehind(OSError):
    """The broker gave a new event a place that was taken: it has lost what lay there."""


class ShardRelay:
    """Sends one shard, when it leads."""

    def __init__(
        self,
        bus: Bus,
        service: str,
        database: Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]],
        stream: StreamConfig,
        shard: Shard,
        keep_days: int,
    ) -> None:
        """As `Relay`; `database` connects, `stream` is what the service's events go into."""
        self.leads = False
        self._bus = bus
        self._service = service
        self._database = database
        self._stream = stream
        self._shard = shard
        self._keep_days = keep_days
        self._select = _select(shard)
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._position: StreamPosition | None = None
        """How far the stream reaches, as far as we know; None when we must look."""
        self._maintained = self._looked = self._doubted = float("-inf")
        self._archiving = Archiving(database)
        self._load = 0.0
        """Events sent, those of a second ago counted a third."""
        self._sent_at = 0.0

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    def doubt(self) -> None:
        """Look at the stream before anything else is sent: it may not be the one that we knew."""
        self._position = None
        self._doubted = asyncio.get_running_loop().time()
        self._woken.set()

    def stop(self) -> None:
        """Send what is there and return from `run`."""
        self._stopping.set()
        self._woken.set()

    async def run(self) -> None:
        """Lead or stand by until `stop`; survives losing the database and the broker."""
        pause = ERROR_PAUSE
        while not self._stopping.is_set():
            try:
                with suppress_instrumentation():
                    await self._session()
                pause = ERROR_PAUSE
            except INTERRUPTIONS as error:
                logger.warning(
                    "relay interrupted",
                    extra={"error": f"{type(error).__name__}: {error}", "pause": pause, "shard": self._shard.index},
                )
                await self._rest(pause)
                pause = min(2 * pause, ERROR_PAUSE_MAX)

    async def _rest(self, seconds: float) -> None:
        """Wait; a connection that comes back, or a stop, ends that early."""
        self._woken.clear()
        if self._stopping.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _session(self) -> None:
        """Hold one database connection: wait for leadership, then send until stopped."""
        connection = await self._database()
        try:
            await positions.decode_traces(connection)
            while not await self._shard.try_to_lead(connection):
                with suppress(TimeoutError):
                    # Jitter: two that stand in each other's way do not meet again.
                    async with asyncio.timeout(STANDBY_SECONDS * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
                        await self._stopping.wait()
                if self._stopping.is_set():
                    return
            logger.info("relay leads", extra={"shard": self._shard.index, "shards": self._shard.count})
            self.leads = True
            self._position = None
            self._doubted = asyncio.get_running_loop().time()
            await self._lead(connection)
        finally:
            self.leads = False
            await self._archiving.close()
            connection.terminate()

    async def _lead(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        while True:
            self._woken.clear()
            stopping = self._stopping.is_set()
            is_more = False
            # Without the broker nothing can be sent; reconnecting wakes us.
            if self._bus.is_connected:
                await self._look_after(connection)
                is_more = await self._send(connection)
            elif not stopping:
                await self._measure(connection)
            # What was committed since has woken us.
            if is_more or self._woken.is_set():
                continue
            if stopping:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()
            if self._load > BUSY_EVENTS and not self._stopping.is_set():
                await asyncio.sleep(FLOOD_GATHER_SECONDS if self._load > FLOOD_EVENTS else GATHER_SECONDS)

    async def _look_after(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Do what is due besides sending."""
        now = asyncio.get_running_loop().time()
        if self._shard.index == 0 and now - self._maintained > MAINTENANCE_SECONDS:
            await connection.execute("select outbox_maintain($1)", self._keep_days)
            await connection.execute("select inbox_maintain($1)", inbox.KEEP_DAYS)
            self._maintained = now
        if self._position is None or now - self._looked > LOOK_SECONDS:
            self._position = await self._reconcile(connection)
            await self._measure(connection)
            self._looked = now

    async def _reconcile(self, connection: asyncpg.Connection[asyncpg.Record]) -> StreamPosition:
        """Take back into the outbox what the stream has lost; return how far the stream reaches."""
        await self._archiving.done()
        stream = await self._look()
        if not await positions.is_behind(connection, self._shard, stream):
            return stream
        await asyncio.sleep(SECOND_LOOK_SECONDS)
        stream = await self._look()
        count = await positions.recall(connection, self._shard, stream)
        if count:
            _recalled.add(count, {"antiphon.service": self._service})
            logger.warning(
                "the stream was behind the archive; what it lacks is sent again",
                extra={"stream": self._stream.name, "events": count, "last_seq": stream.last_seq},
            )
        return stream

    async def _look(self) -> StreamPosition:
        info = await ensure_stream(self._bus.jetstream, self._stream)
        if info.created is None:
            raise StreamBehind(f"the broker does not say when {self._stream.name} was created")
        return StreamPosition(info.created, info.state.last_seq)

    async def _send(self, connection: asyncpg.Connection[asyncpg.Record]) -> bool:
        """Publish the oldest rows and archive them; say whether there is more to do at once."""
        rows = await connection.fetch(self._select, BATCH_EVENTS, BATCH_BYTES, self._archiving.seqs)
        if not rows:
            await self._archiving.done()
        if not rows or self._position is None:
            return bool(rows)
        position = self._position
        places = await publish_in_order(self._bus, self._service, rows)
        if any(place.is_new and place.seq <= position.last_seq for place in places):
            self._position = None
            raise StreamBehind(f"{self._stream.name} went back behind {position.last_seq}")
        seqs = [place.seq for place in places]
        numbers = [row["seq"] for row in rows]
        is_doubtful = asyncio.get_running_loop().time() - self._doubted < DOUBT_SECONDS
        if len(rows) < BATCH_EVENTS:
            await self._archiving.done()
            await positions.archive(connection, numbers, position.created, seqs, is_doubtful=is_doubtful)
        else:
            # There is more: it is published while these are archived.
            await self._archiving.start(numbers, position.created, seqs, is_doubtful=is_doubtful)
        if self._position is position:
            self._position = StreamPosition(position.created, max(position.last_seq, *seqs))
        _record(self._service, rows)
        now = asyncio.get_running_loop().time()
        self._load = self._load * math.exp(self._sent_at - now) + len(rows)
        self._sent_at = now
        is_cut = len(rows) < rows[0]["waiting"] or len(rows) == BATCH_EVENTS
        return is_cut or self._stopping.is_set()

    async def _measure(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        depth = "count(*) as depth, coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0) as age"
        row = await connection.fetchrow(f"select {depth} from outbox where {self._shard.condition}")  # noqa: S608 - own constants
        if row is not None:
            attributes: dict[str, str | int] = {"antiphon.service": self._service, "antiphon.shard": self._shard.index}
            _depth.set(row["depth"], attributes)
            _age.set(float(row["age"]), attributes)


def _select(shard: Shard) -> str:
    """Return the query for the oldest rows of a shard: $1 rows and $2 bytes at most, but one in any case; not $3.

    `waiting` is how many of the oldest $1 rows there are, those that are too many bytes included.
    """
    return f"""
        select {positions.COLUMNS}, waiting from (
            select *, count(*) over () as waiting, sum(length(payload)) over (order by seq) as bytes,
                row_number() over (order by seq) as number
            from (
                select * from outbox where {shard.condition} and seq <> all ($3::bigint[]) order by seq limit $1
            ) as head
        ) as sized
        where bytes <= $2 or number = 1
        order by seq
    """  # noqa: S608 - own constants


def _record(service: str, rows: Sequence[asyncpg.Record]) -> None:
    attributes = {"antiphon.service": service}
    _published.add(len(rows), attributes)
    _lag.record(max(0.0, (datetime.now(UTC) - rows[0]["created_at"]).total_seconds()), attributes)
