"""A moment between two backups comes back exactly: databases, objects, events and what the broker alone knew."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import nats
import pytest

from tests.chaos.books import completed_once_each, database, streams_hold_what_was_sent
from tests.integration.backup.conftest import BackedUp, temporary_directory
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack, resumed_stack

_TRACKS = "select object_key, sha256, size_bytes from audio_tracks order by object_key"
_LEDGER = "select org_id, unit, quantity from usage_totals order by 1, 2, 3"


@pytest.fixture
async def api(backed_up: BackedUp) -> AsyncIterator[Api]:
    async with Api(backed_up.stack.url, backed_up.stack.api_key) as api:
        yield api


async def now(stack: Stack) -> datetime:
    """The database server's clock."""
    async with database(stack, "gateway") as connection:
        moment: datetime = await connection.fetchval("select clock_timestamp()")
        return moment.astimezone(UTC)


async def contents(stack: Stack) -> dict[str, list[Any]]:
    """What the services have written down."""
    found: dict[str, list[Any]] = {}
    for service, query in {
        "storage": _TRACKS,
        "analytics": _LEDGER,
        "generation": "select id, status, object_key from generations order by id",
        "embedding": "select source_id, status from documents order by source_id",
    }.items():
        async with database(stack, service) as connection:
            found[service] = [tuple(row) for row in await connection.fetch(query)]
    return found


async def speak(api: Api, what: str) -> str:
    """Have something spoken that nobody has said before; returns the generation's id."""
    voices = await api.voices()
    return str((await api.speak(f"{what}, number {uuid4().hex[:6]}.", voices[0]["id"]))["id"])


async def bury(stack: Stack, age: timedelta) -> str:
    """Leave a dead letter of an event of that age; returns its id."""
    event_id = str(uuid4())
    headers = {"ce-id": event_id, "ce-time": (datetime.now(UTC) - age).isoformat(), "dlq-consumer": "analytics"}
    client = await nats.connect(stack.exports()["ANTIPHON_NATS_URL"], inbox_prefix=b"_INBOX_provisioner")
    try:
        await client.jetstream().publish("dlq.analytics.evt.voice.v1.deleted", b"old", headers=headers)
    finally:
        await client.close()
    return event_id


@pytest.mark.timeout(360)
async def test_a_moment_between_two_backups_comes_back_exactly(backed_up: BackedUp, api: Api) -> None:
    stack = backed_up.stack
    await backed_up.has_first()
    early, late = await speak(api, "Before the second backup"), await speak(api, "To be deleted afterwards")
    letter = await bury(stack, timedelta(days=30))
    stack.run("backup")
    between = await speak(api, "After the second backup")
    assert (await api.delete(f"/v1/generations/{early}")).status == 204
    await completed_once_each(stack, api, [late, between], within=30)
    await streams_hold_what_was_sent(stack, within=30)
    audio = {one: (await api.get(f"/v1/generations/{one}/audio")).content for one in (late, between)}
    before = await contents(stack)
    moment = await now(stack)

    later = await speak(api, "After the moment")
    for one in (late, between):
        # The second was made after the last backup: only the journal of objects has its audio.
        assert (await api.delete(f"/v1/generations/{one}")).status == 204
        async with database(stack, "storage") as connection:
            await gone(connection, one)
    await backed_up.covers(moment + timedelta(milliseconds=1))

    with temporary_directory() as folder:
        home = folder / "home"
        stack.run("restore", "--to", moment.isoformat(), "--into", str(home))
        secrets = [file for file in (home / "secrets").rglob("*") if file.is_file()]
        assert {stat.S_IMODE(file.stat().st_mode) for file in secrets} == {0o600}
        with resumed_stack(home) as restored:
            assert await contents(restored) == before
            async with Api(restored.url, stack.api_key) as again:
                for one, content in audio.items():
                    assert (await again.get(f"/v1/generations/{one}/audio")).content == content
                assert {(await again.get(f"/v1/generations/{one}")).status for one in (early, later)} == {404}
                # All events are told again, and none is applied again.
                await streams_hold_what_was_sent(restored, within=60)
                await completed_once_each(restored, again, [late, between], within=30)
                assert await contents(restored) == before
            # It goes on from there, on a timeline of its own, and so do its backups.
            assert "verified" in restored.run("backup", "--dir", str(folder / "vault")).stdout
            listed = restored.run("dlq", "list").stdout
            assert listed.count(letter) == 1


async def gone(connection: asyncpg.Connection[asyncpg.Record], generation_id: str) -> None:
    """Wait until a track is gone."""

    async def is_gone() -> bool:
        query = "select 1 from audio_tracks where generation_id = $1::uuid"
        return await connection.fetchval(query, generation_id) is None

    await eventually(is_gone, within=30, what=f"no track of {generation_id}")
