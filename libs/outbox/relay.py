"""The relay: publishes outbox rows in their order, as one leader a service, and archives them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg
import nats.errors
import nats.js.errors
import orjson
from nats.aio.msg import Msg
from opentelemetry import metrics
from opentelemetry.instrumentation.utils import suppress_instrumentation

from libs.messaging import inbox
from libs.messaging.connection import Bus
from libs.outbox.publish import publish_in_order
from libs.outbox.schema import ARCHIVE_DAYS

logger = logging.getLogger(__name__)

BATCH_EVENTS = 500
BATCH_BYTES = 4 * 2**20
POLL_SECONDS = 2.0
"""How long a lost wake-up can delay an event."""
STANDBY_SECONDS = 1.0
"""How often a standby tries to become the leader."""
ERROR_PAUSE, ERROR_PAUSE_MAX = 0.1, 3.0
MAINTENANCE_SECONDS = 3600.0
LEADER_LOCK = 0x616E7469
"""Advisory lock key: each service has its own database, so one key serves all."""

_SELECT = """
select seq, event_id, type_name, subject, aggregate, org_id, cause, payload, trace, created_at
from (select *, sum(length(payload)) over (order by seq) as bytes from (
    select * from outbox order by seq limit $1) as head) as sized
where bytes <= $2 or seq = (select min(seq) from outbox)
order by seq
"""
_ARCHIVE = """
with gone as (delete from outbox where seq = any($1::bigint[]) returning *)
insert into outbox_sent (seq, event_id, type_name, subject, aggregate, org_id, cause, payload, trace, created_at)
select seq, event_id, type_name, subject, aggregate, org_id, cause, payload, trace, created_at from gone
"""

_meter = metrics.get_meter("antiphon.outbox")
_published = _meter.create_counter("antiphon.outbox.published", description="Events sent to the broker")
_lag = _meter.create_histogram("antiphon.outbox.lag", unit="s", description="From commit to the broker's answer")


def wake_subject(service: str) -> str:
    """Return the subject on which the relay of `service` is told that there is something to send."""
    return f"wake.{service}.outbox"


class Relay:
    """Sends a service's outbox to the broker; every replica runs one, one of them leads."""

    def __init__(self, bus: Bus, service: str, database_url: str, password: str) -> None:
        """`database_url` must reach PostgreSQL directly: leadership is a session's lock."""
        self._bus = bus
        self._service = service
        self._database_url = database_url
        self._password = password
        self._woken = asyncio.Event()
        self._leads = False
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Lead or stand by until `stop`; survives losing the database and the broker."""
        subscription = await self._bus.client.subscribe(wake_subject(self._service), cb=self._on_wake)
        self._bus.on_reconnect(self._woken.set)
        pause = ERROR_PAUSE
        try:
            while not self._stopping.is_set():
                try:
                    with suppress_instrumentation():
                        await self._session()
                    pause = ERROR_PAUSE
                except (
                    OSError,
                    TimeoutError,
                    asyncpg.PostgresError,
                    asyncpg.InterfaceError,
                    nats.errors.Error,
                    nats.js.errors.Error,
                ) as error:
                    logger.warning(
                        "relay interrupted", extra={"error": f"{type(error).__name__}: {error}", "pause": pause}
                    )
                    await self._sleep(pause)
                    pause = min(2 * pause, ERROR_PAUSE_MAX)
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def stop(self) -> None:
        """Send what is there and return from `run`."""
        self._stopping.set()
        self._woken.set()

    async def wake(self) -> None:
        """Say that there is something to send: to this relay if it leads, else to the one that does."""
        if self._leads:
            self._woken.set()
        else:
            await self._bus.wake(wake_subject(self._service))

    async def _on_wake(self, _message: Msg) -> None:
        self._woken.set()

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _session(self) -> None:
        """Hold one database connection: wait for leadership, then send until stopped."""
        connection = await asyncpg.connect(
            self._database_url,
            password=self._password,
            timeout=10,
            command_timeout=60,
            server_settings={"application_name": f"{self._service}-relay"},
        )
        try:
            await connection.set_type_codec(
                "jsonb", schema="pg_catalog", encoder=_dump, decoder=orjson.loads, format="text"
            )
            while not await connection.fetchval("select pg_try_advisory_lock($1)", LEADER_LOCK):
                await self._sleep(STANDBY_SECONDS)
                if self._stopping.is_set():
                    return
            logger.info("relay leads")
            self._leads = True
            await self._lead(connection)
        finally:
            self._leads = False
            connection.terminate()

    async def _lead(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        maintained = float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - maintained > MAINTENANCE_SECONDS:
                await connection.execute("select outbox_maintain($1)", ARCHIVE_DAYS)
                await connection.execute("select inbox_maintain($1)", inbox.KEEP_DAYS)
                maintained = loop.time()
            self._woken.clear()
            stopping = self._stopping.is_set()
            sent = await self._send(connection)
            if sent:
                continue
            if stopping:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)

    async def _send(self, connection: asyncpg.Connection[asyncpg.Record]) -> int:
        """Publish the oldest rows and archive them; return how many there were."""
        rows = await connection.fetch(_SELECT, BATCH_EVENTS, BATCH_BYTES)
        if rows:
            await publish_in_order(self._bus, self._service, rows)
            await connection.execute(_ARCHIVE, [row["seq"] for row in rows])
            _record(rows)
        return len(rows)


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()


def _record(rows: Sequence[asyncpg.Record]) -> None:
    _published.add(len(rows))
    _lag.record(max(0.0, (datetime.now(UTC) - rows[0]["created_at"]).total_seconds()))
