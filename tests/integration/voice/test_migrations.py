from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from uuid import UUID

import asyncpg
import pytest

from libs.database import migrate
from libs.ids import new_id
from tests.support.schemas import empty_database, objects_of
from tests.support.servers import Servers


@pytest.fixture
def scratch(servers: Servers, migrated: Callable[[str], None]) -> Iterator[str]:
    """The URL, as the owner, of an empty database beside the service's own."""
    migrated("voice")  # makes the roles
    with empty_database(servers, "voice") as url:
        yield url


def test_the_schema_goes_up_down_and_up_again(servers: Servers, scratch: str) -> None:
    password = servers.service_database("voice").owner_password
    migrate.upgrade("voice", scratch, password)
    first = asyncio.run(objects_of(scratch, password))
    assert {"r voices", "r voice_samples", "r outbox", "policy voices.voices_read"} <= set(first)
    migrate.downgrade("voice", scratch, password)
    assert asyncio.run(objects_of(scratch, password)) == []
    migrate.upgrade("voice", scratch, password)
    assert asyncio.run(objects_of(scratch, password)) == first
    migrate.upgrade("voice", scratch, password)


_BEFORE = """
insert into voices (id, org_id, name, variant, object_key, engine, engine_settings, status, updated_at)
values ($1, $2, 'Anna', 'CUSTOM', 'voices/orgs/x/y', 'espeak-ng', '{"language": "en-US"}', 'ready', '2026-01-01');
"""
_SAMPLE_BEFORE = """
insert into voice_samples
    (id, voice_id, org_id, object_key, content_type, size_bytes, sha256, duration_seconds, sample_rate, channels)
values ($1, $1, $2, 'voices/orgs/x/y', 'audio/wav', 1, repeat('0', 64), 10, 16000, 1)
"""


def test_voices_of_before_are_brought_along_and_back(servers: Servers, scratch: str) -> None:
    password = servers.service_database("voice").owner_password
    migrate.upgrade("voice", scratch, password, "0002")
    voice_id, org_id = new_id(), new_id()
    for statement in (_BEFORE, _SAMPLE_BEFORE):
        asyncio.run(_as_organisation(scratch, password, org_id, statement, voice_id, org_id))
    migrate.upgrade("voice", scratch, password)
    query = "select *, updated_at < '2026-01-02' as untouched from voices"
    [voice] = asyncio.run(_as_organisation(scratch, password, org_id, query))
    assert (voice["status"], voice["sample_count"], voice["submitted"], voice["untouched"]) == ("ready", 1, 0, True)
    [sample] = asyncio.run(_as_organisation(scratch, password, org_id, "select * from voice_samples"))
    assert (sample["position"], sample["report"], sample["duration_seconds"]) == (0, None, 10.0)
    # Going back, what the service of before cannot have made goes, and the rest stays.
    waiting = _BEFORE.replace("'Anna'", "'Bea'").replace("'ready'", "'processing'")
    asyncio.run(_as_organisation(scratch, password, org_id, waiting, new_id(), org_id))
    migrate.downgrade("voice", scratch, password, "0002")
    [kept] = asyncio.run(_as_organisation(scratch, password, org_id, "select name from voices"))
    assert kept["name"] == "Anna"
    migrate.upgrade("voice", scratch, password)


async def _as_organisation(
    url: str, password: str, org_id: UUID, statement: str, *values: object
) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url, password=password)
    try:
        await connection.execute(f"set app.orgs = '{org_id}'")
        return list(await connection.fetch(statement, *values))
    finally:
        await connection.close()
