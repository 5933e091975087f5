"""Looking at what the services wrote down, from outside, by SQL alone: once each, nothing lost, sums that agree."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import nats
from nats.js import JetStreamContext

from deploy.embedded.credentials import POSTGRES_ADMIN
from deploy.embedded.postgres import SUPERUSER
from libs.contracts.registry import stream_of
from tests.chaos.sums import DIFFERING
from tests.support.api import Api
from tests.support.consumers import are_at_rest
from tests.support.polling import eventually
from tests.support.stack import Stack

SERVICES = ("gateway", "voice", "generation", "storage", "embedding", "analytics")
_ONCE_EACH = {
    "one rendition that can be heard": (
        "generation",
        """
        select g.id::text as id from generations g join renditions r on r.id = g.rendition_id
        where g.id = any($1::uuid[]) and r.status = 'completed' and r.object_key = g.object_key
        """,
    ),
    "one search document": (
        "embedding",
        "select source_id as id from documents where source_id = any($1::text[]) and status = 'indexed'",
    ),
    "one entry for its characters": (
        "analytics",
        "select resource_id::text as id from usage_metrics where resource_id = any($1::uuid[]) and unit = 'characters'",
    ),
    "one entry for its seconds": (
        "analytics",
        """
        select resource_id::text as id from usage_metrics
        where resource_id = any($1::uuid[]) and unit = 'audio_seconds'
        """,
    ),
    "no hold that is left": (
        "analytics",
        """
        select id::text from unnest($1::uuid[]) as asked (id)
        where not exists (select 1 from reservations where reservations.id = asked.id and status = 'held')
        """,
    ),
}
_TRACKS = "select generation_id::text as id from audio_tracks where generation_id = any($1::uuid[])"
_NOT_PAID_ONCE = """
select rendition_id from generations join renditions on renditions.id = rendition_id
where rendition_id = any($1::uuid[]) group by rendition_id, renditions.characters_spoken
having sum(generations.characters_spoken) > renditions.characters_spoken
"""
_LEDGER = """
select resource_id::text as id, org_id::text, sum(quantity) filter (where unit = 'characters')::bigint as spoken,
    coalesce(sum(quantity) filter (where unit = 'characters_cached'), 0)::bigint as cached
from usage_metrics group by 1, 2
"""
_COMPLETED = """
select id::text, org_id::text, characters_spoken::bigint as spoken, (characters - characters_spoken)::bigint as cached
from generations where status = 'completed'
"""


@asynccontextmanager
async def database(stack: Stack, service: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Connect to the database of a service as its administrator."""
    password = (stack.home / "secrets" / POSTGRES_ADMIN).read_text().strip()
    port = stack.record["processes"]["postgres"]["port"]
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user=SUPERUSER, password=password, database=f"antiphon_{service}"
    )
    try:
        yield connection
    finally:
        await connection.close()


async def completed_once_each(stack: Stack, api: Api, ids: Sequence[str], *, within: float) -> None:
    """Wait until every one of these generations is completed, and everything that belongs to it is there, once."""
    assert len(set(ids)) == len(ids), "two requests were given the same generation"
    async with database(stack, "generation") as connection:

        async def all_finished() -> bool:
            statuses = await connection.fetch("select status from generations where id = any($1::uuid[])", ids)
            return len(statuses) == len(ids) and {row["status"] for row in statuses} <= {"completed", "failed"}

        await eventually(all_finished, within=within, what=f"the end of {len(ids)} generations")
        failed = await connection.fetch(
            "select id, error_code, error from generations where id = any($1::uuid[]) and status <> 'completed'", ids
        )
        assert failed == []
    await nothing_is_queued(stack, within=within)
    await once_each(stack, ids, within=within)
    await _billing_comes_to_agree(stack, api, within=within)
    await sums_agree(stack)
    # The ledger may have told of the last of it just now.
    await all_sent(stack, await newest_events(stack), within=within)
    assert (await api.get(f"/v1/generations/{ids[-1]}/audio")).status == 200


async def once_each(stack: Stack, ids: Sequence[str], *, within: float) -> None:
    """Wait until everything that belongs to these completed generations is there, once."""
    for what, (service, query) in _ONCE_EACH.items():
        async with database(stack, service) as connection:

            async def all_there(
                connection: asyncpg.Connection[asyncpg.Record] = connection, query: str = query
            ) -> bool:
                return {row["id"] for row in await connection.fetch(query, ids)} == set(ids)

            await eventually(all_there, within=within, what=f"{what} for each of {len(ids)} generations")
            assert len(await connection.fetch(query, ids)) == len(ids), f"more than {what} for a generation"

    await _one_track_each(stack, ids, within=within)


async def _one_track_each(stack: Stack, ids: Sequence[str], *, within: float) -> None:
    """Wait for the audio of these generations: equal requests share it, and one of them has paid for it."""
    async with database(stack, "generation") as connection:
        found = await connection.fetch(
            "select distinct rendition_id::text as id from generations where id = any($1::uuid[])", ids
        )
        audio = {row["id"] for row in found}
        assert await connection.fetch(_NOT_PAID_ONCE, list(audio)) == []
    async with database(stack, "storage") as connection:

        async def all_there() -> bool:
            return {row["id"] for row in await connection.fetch(_TRACKS, list(audio))} == audio

        await eventually(all_there, within=within, what=f"a track for each of {len(audio)} renditions")
        assert len(await connection.fetch(_TRACKS, list(audio))) == len(audio), "more than one track for a rendition"


async def nothing_is_queued(stack: Stack, *, within: float) -> None:
    """Wait until the speech workers have nothing to do: no work is left for a rendition that has ended."""
    async with database(stack, "generation") as connection:

        async def is_empty() -> bool:
            return not await connection.fetchval("select exists (select from speech_queue)")

        await eventually(is_empty, within=within, what="an empty speech queue")


async def sums_agree(stack: Stack) -> None:
    """Compare the ledger with what is added up from it."""
    async with database(stack, "analytics") as connection:
        for query in DIFFERING:
            assert await connection.fetch(query) == []


async def billing_agrees(stack: Stack, api: Api) -> list[str]:
    """Compare what was spoken for every generation with the ledger, and the ledger with what the API says is used.

    Returns what differs. Generations that were deleted stay billed, and nobody else can say any more what they were.
    """
    async with database(stack, "generation") as connection:
        spoken = {tuple(row) for row in await connection.fetch(_COMPLETED)}
    async with database(stack, "analytics") as connection:
        billed = {tuple(row) for row in await connection.fetch(_LEDGER)}
    wrong = [f"generation {row[0]} is not billed for what was spoken" for row in spoken - billed]
    ours = {row[1] for row in spoken | billed}
    if len(ours) != 1:
        return [*wrong, f"the API speaks for one organisation, and these are {len(ours)}"]
    # A service whose clock is wrong may have completed something tomorrow.
    begin, end = (datetime.now(UTC).date() + timedelta(days=days) for days in (-7, 1))
    used = (await api.get("/v1/usage", params={"from": begin.isoformat(), "to": end.isoformat()})).json["totals"]
    for unit, sum_of in (("characters", 2), ("characters_cached", 3)):
        total = sum(int(row[sum_of]) for row in billed)
        if used[unit] != total:
            wrong.append(f"the API says that {used[unit]} {unit} are used, the ledger {total}")
    if used["generations"] != len(billed):
        wrong.append(f"the API says that {used['generations']} generations are used, the ledger {len(billed)}")
    return wrong


async def _billing_comes_to_agree(stack: Stack, api: Api, *, within: float) -> None:
    """Wait until what is told by the API, the ledger and the generations say the same; also of those nobody waits for.

    A request whose answer was lost has its generation all the same, and may still be on its way into the ledger.
    """

    async def agrees() -> bool:
        return not await billing_agrees(stack, api)

    with suppress(AssertionError):
        await eventually(agrees, within=within, every=0.2)
    assert await billing_agrees(stack, api) == []


async def newest_events(stack: Stack) -> dict[str, int]:
    """The position of each service's newest event, sent or not; 0 where there is none."""
    newest: dict[str, int] = {}
    for service in SERVICES:
        async with database(stack, service) as connection:
            newest[service] = await connection.fetchval(
                "select greatest((select max(seq) from outbox), (select max(seq) from outbox_sent), 0)"
            )
    return newest


async def all_sent(stack: Stack, upto: dict[str, int], *, within: float) -> None:
    """Wait, `within` seconds in all, until nothing is left in the outboxes that is as old as `upto` says, or older."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    for service, seq in upto.items():
        async with database(stack, service) as connection:

            async def is_sent(connection: asyncpg.Connection[asyncpg.Record] = connection, seq: int = seq) -> bool:
                return not await connection.fetchval("select exists (select 1 from outbox where seq <= $1)", seq)

            left = deadline - loop.time()
            await eventually(is_sent, within=left, what=f"an outbox of {service} without what waited in it")


async def streams_hold_what_was_sent(stack: Stack, *, within: float) -> None:
    """Wait until every event that a service has archived lies in its stream, and has been dealt with by all."""
    url = stack.exports()["ANTIPHON_NATS_URL"]
    client = await nats.connect(url, inbox_prefix=b"_INBOX_provisioner")
    try:
        for service in SERVICES:

            async def is_whole(service: str = service) -> bool:
                async with database(stack, service) as connection:
                    sent: list[asyncpg.Record] = await connection.fetch("select event_id::text from outbox_sent")
                held = await _event_ids(client.jetstream(), stream_of(service))
                return {row["event_id"] for row in sent} <= held

            await eventually(is_whole, within=within, what=f"all events of {service} in its stream")

        async def at_rest() -> bool:
            return await are_at_rest(client.jetstream(), [stream_of(service) for service in SERVICES])

        await eventually(at_rest, within=within, what="durables with nothing left to deliver")
    finally:
        await client.close()


async def _event_ids(jetstream: JetStreamContext, stream: str) -> set[str]:
    subscription = await jetstream.subscribe("", stream=stream, ordered_consumer=True)
    wanted = (await jetstream.stream_info(stream)).state.messages
    found: set[str] = set()
    for _ in range(wanted):
        message = await subscription.next_msg(timeout=10)
        found.add((message.headers or {})["ce-id"])
    await subscription.unsubscribe()
    return found


async def waiting_events(stack: Stack, service: str) -> int:
    """How many events wait in the outbox of a service."""
    async with database(stack, service) as connection:
        waiting: int = await connection.fetchval("select count(*) from outbox")
        return waiting
