"""Looking at a restored stack from outside, by SQL, S3 and its API: is everything there, once, and does it work?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import asyncpg

from deploy.backup.source import Source
from deploy.cli.client import ApiError, GatewayClient
from deploy.cli.speech import find_voice
from deploy.embedded.errors import StackError
from deploy.embedded.programs import SERVICES
from libs.contracts.registry import stream_of
from libs.database import migrate
from libs.messaging import Bus
from libs.messaging.topology import EVENT_MAX_AGE
from libs.objectstore import ObjectMissing

REST_SECONDS = 120.0
"""How long the relays and consumers of a restored stack may take to have told and applied everything again."""

OUT_OF_ORDER = """
select aggregate, seq from (
    select aggregate, seq, stream_seq,
        lag(stream_seq) over (partition by stream_created, aggregate order by seq) as before
    from outbox_sent) as sent
where stream_seq <= before
"""
TWICE = "select event_id from outbox_sent group by event_id having count(*) > 1"
_YOUNG = "select count(*) from outbox_sent where created_at > now() - $1::interval"
_DIFFERENCES = "select what, unit from usage_differences('2000-01-01')"
_IN_STREAMS = timedelta(seconds=EVENT_MAX_AGE) - timedelta(hours=1)
_TABLES = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
_OBJECTS = {
    # Every object that a row speaks of, with its SHA-256 where the row has it.
    "storage": "select object_key as key, sha256 from audio_tracks "
    "union all select alignment_key, null from audio_tracks where alignment_key is not null "
    "union all select object_key, sha256 from media_assets",
    "voice": "select object_key as key, sha256 from voice_samples",
}


@dataclass
class Findings:
    """What an audit found; `problems` is empty when all is well."""

    rows: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    events: int = 0
    dead_letters: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What to tell a person."""
        rows = ", ".join(f"{service} {count:,}" for service, count in self.rows.items())
        times = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in self.seconds.items())
        return [
            f"rows: {rows}",
            f"{self.objects:,} objects as their rows say, {self.events:,} events, {self.dead_letters:,} dead letters",
            times,
            *(f"problem: {problem}" for problem in self.problems),
            *([] if self.problems else ["The audit is clean."]),
        ]


async def audit(source: Source, client: GatewayClient, show: Callable[[str], None]) -> Findings:
    """Look at everything in a running stack; speaks a sentence in it, so it is for a copy."""
    found = Findings()
    for service in SERVICES:
        show(f"reading the database of {service}")
        async with source.database(f"antiphon_{service}") as connection:
            await _read_everything(connection, service, found)
    show("reading the objects")
    await _objects(source, found)
    show("waiting until all events are told and applied again")
    async with source.broker() as bus:
        await _events(source, bus, found)
    show("speaking a sentence and searching for it")
    await asyncio.to_thread(_use, client, found)
    return found


async def _read_everything(connection: asyncpg.Connection[asyncpg.Record], service: str, found: Findings) -> None:
    try:
        version = await connection.fetchval("select version_num from alembic_version")
        if version != migrate.head(service):
            found.problems.append(f"{service}: the schema is of version {version}, not {migrate.head(service)}")
        found.rows[service] = 0
        for row in await connection.fetch(_TABLES):
            # As text, so that every column of every row is read, not only counted.
            query = f'select count(*) from (select t::text from "{row["relname"]}" t) as all_of_it where t is not null'  # noqa: S608 - the catalogue's own names
            found.rows[service] += await connection.fetchval(query)
    except asyncpg.PostgresError as error:
        found.problems.append(f"{service}: the database cannot be read: {type(error).__name__}")


async def _objects(source: Source, found: Findings) -> None:
    async with source.objects() as store:
        for service, query in _OBJECTS.items():
            async with source.database(f"antiphon_{service}") as connection:
                rows = await connection.fetch(query)
            for row in rows:
                try:
                    digest, _ = await store.digest(row["key"])
                except ObjectMissing:
                    found.problems.append(f"{service}: the object {row['key']} is missing")
                    continue
                if row["sha256"] not in (None, digest):
                    found.problems.append(f"{service}: the object {row['key']} is not what its row says")
                found.objects += 1


async def _events(source: Source, bus: Bus, found: Findings) -> None:
    for service in SERVICES:
        async with source.database(f"antiphon_{service}") as connection:
            # An empty outbox is not enough: what the archive has and the stream lacks goes back into it.
            async def is_told(
                connection: asyncpg.Connection[asyncpg.Record] = connection, service: str = service
            ) -> bool:
                if await connection.fetchval("select exists (select from outbox)"):
                    return False
                young = await connection.fetchval(_YOUNG, _IN_STREAMS)
                held = (await bus.jetstream.stream_info(stream_of(service))).state.messages
                return bool(held >= young)

            if not await _within(REST_SECONDS, is_told):
                found.problems.append(f"{service}: events are missing in the stream")
                continue
            found.events += await connection.fetchval("select count(*) from outbox_sent")
            for query, problem in ((OUT_OF_ORDER, "out of order"), (TWICE, "in the archive twice")):
                if rows := await connection.fetch(query):
                    found.problems.append(f"{service}: {len(rows)} events are {problem}")

    async def at_rest() -> bool:
        infos = [one for service in SERVICES for one in await bus.jetstream.consumers_info(stream_of(service))]
        return not any(one.num_pending or one.num_ack_pending for one in infos if one.config.durable_name)

    if not await _within(REST_SECONDS, at_rest):
        found.problems.append("events are not applied: durables have deliveries left")
    async with source.database("antiphon_analytics") as connection:
        for row in await connection.fetch(_DIFFERENCES):
            found.problems.append(f"analytics: the {row['what']} of {row['unit']} differ from the ledger")
    found.dead_letters = (await bus.jetstream.stream_info("DEAD_LETTERS")).state.messages


async def _within(seconds: float, condition: Callable[[], Awaitable[bool]]) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not await condition():
        if loop.time() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


def _use(client: GatewayClient, found: Findings) -> None:
    """Do what users do: have a sentence spoken, hear it, find it."""
    word = uuid4().hex[:12]
    began = time.monotonic()
    try:
        request = {"text": f"This restored stack speaks of {word}.", "voice_id": find_voice(client, None)}
        generation = client.post("/v1/generations", request, headers={"Prefer": "wait=30"})
        while generation["status"] in ("pending", "processing") and time.monotonic() - began < REST_SECONDS:
            time.sleep(0.2)
            generation = client.get(f"/v1/generations/{generation['id']}")
        if generation["status"] != "completed":
            found.problems.append(f"a generation that was made is {generation['status']}")
            return
        if not client.download(f"/v1/generations/{generation['id']}/audio"):
            found.problems.append("a generation that was made has no audio")
        while not _finds(client, word, generation["id"]):
            if time.monotonic() - began > REST_SECONDS:
                found.problems.append("search does not find a generation that was made")
                return
            time.sleep(0.2)
    except (StackError, ApiError) as error:
        found.problems.append(f"the API does not work: {error}")
    found.seconds["speaking and finding a sentence"] = time.monotonic() - began


def _finds(client: GatewayClient, word: str, generation_id: str) -> bool:
    hits = client.post("/v1/search", {"query": word, "mode": "text"})["items"]
    return any(hit["source_id"] == generation_id for hit in hits)
