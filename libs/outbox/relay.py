"""The relay: publishes a service's outbox in its order, as one leader a shard, and archives it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg
import nats.errors
from nats.aio.msg import Msg

from libs.contracts.registry import stream_of
from libs.messaging.connection import Bus
from libs.messaging.topology import streams, wake_subject
from libs.outbox.schema import ARCHIVE_DAYS
from libs.outbox.shard_relay import ShardRelay
from libs.outbox.shards import Shard


class Relay:
    """Sends a service's outbox to the broker; every replica runs one, one of them leads each shard."""

    def __init__(
        self,
        bus: Bus,
        service: str,
        database_url: str,
        password: str,
        *,
        shards: int = 1,
        keep_days: int = ARCHIVE_DAYS,
        replicas: int = 1,
    ) -> None:
        """`database_url` must reach PostgreSQL directly: leadership is a session's lock.

        `shards`: into how many parts the outbox is divided, by aggregate. `keep_days`: how long the
        archive keeps events. `replicas`: how many servers hold the stream, should it have to be made.
        """
        self._bus = bus
        self._service = service
        (stream,) = (one for one in streams(replicas) if one.name == stream_of(service))

        async def database() -> asyncpg.Connection[asyncpg.Record]:
            return await asyncpg.connect(
                database_url,
                password=password,
                timeout=10,
                command_timeout=60,
                server_settings={
                    "application_name": f"{service}-relay",
                    # What is lost of its bookkeeping, as when the server dies, is as if it had died before that: what
                    # was published is published again, under the same ids.
                    "synchronous_commit": "off",
                },
            )

        self._shards = [
            ShardRelay(bus, service, database, stream, Shard(index, shards), keep_days) for index in range(shards)
        ]

    async def run(self) -> None:
        """Lead or stand by until `stop`; survives losing the database and the broker."""
        subscription = await self._bus.client.subscribe(wake_subject(self._service), cb=self._on_wake)
        self._bus.on_reconnect(self._on_reconnect)
        try:
            async with asyncio.TaskGroup() as group:
                for shard in self._shards:
                    group.create_task(shard.run())
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def stop(self) -> None:
        """Send what is there and return from `run`."""
        for shard in self._shards:
            shard.stop()

    async def wake(self) -> None:
        """Say that there is something to send: to this relay if it leads, else to those that do."""
        for shard in self._shards:
            shard.wake()
        if not all(shard.leads for shard in self._shards):
            await self._bus.wake(wake_subject(self._service))

    async def _on_wake(self, _message: Msg) -> None:
        for shard in self._shards:
            shard.wake()

    def _on_reconnect(self) -> None:
        for shard in self._shards:
            shard.doubt()
