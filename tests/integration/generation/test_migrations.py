"""What was there before audio was shared is there afterwards: every organisation's, and work that waited, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy.engine import make_url

from deploy.embedded.credentials import POSTGRES_ADMIN
from libs.database import migrate
from libs.ids import new_id
from services.generation.domain.speech import Spec
from tests.support.servers import Servers

BEFORE = "0002"
_INSERT = """
insert into generations (id, org_id, voice_id, voice_name, text, characters, temperature, top_p, top_k,
    repetition_penalty, speed, format, model_id, status, object_key, duration_seconds)
values ($1, $2, $3, 'Aaron', 'Hello.', 6, 1, 1, 1, 1, 1.5, 'wav', 'espeak-ng', $4, $5, $6)
"""


@pytest.fixture
def scratch(servers: Servers, migrated: Callable[[str], None]) -> Iterator[str]:
    """The URL, as the owner, of an empty database beside the service's own."""
    migrated("generation")  # makes the roles
    name = f"scratch_{new_id().hex}"
    asyncio.run(_execute(servers, "postgres", f'create database "{name}" owner generation_owner'))
    yield str(make_url(servers.url("owner", "generation")).set(database=name))
    asyncio.run(_execute(servers, "postgres", f'drop database "{name}" with (force)'))


async def _execute(servers: Servers, database: str, statement: str, *rows: tuple[object, ...]) -> None:
    url = str(make_url(servers.admin_url).set(database=database))
    connection = await asyncpg.connect(url, password=servers.secret(POSTGRES_ADMIN))
    try:
        if rows:
            await connection.executemany(statement, rows)
        else:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _fetch(servers: Servers, database: str, query: str) -> list[asyncpg.Record]:
    url = str(make_url(servers.admin_url).set(database=database))
    connection = await asyncpg.connect(url, password=servers.secret(POSTGRES_ADMIN))
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


def _fill(servers: Servers, name: str, rows: Sequence[tuple[object, ...]], voice: UUID, spoken: UUID) -> None:
    """Write generations with their voice, and a try for the one that is spoken."""
    asyncio.run(_execute(servers, name, _INSERT, *rows))
    asyncio.run(
        _execute(
            servers,
            name,
            "insert into voices (id, org_id, name, language, engine, engine_settings, revision)"
            " values ($1, $2, 'Aaron', 'de-DE', 'espeak-ng', $3, 1)",
            (voice, rows[0][1], '{"engine_voice": "de", "language": "de-DE"}'),
        )
    )
    asyncio.run(
        _execute(
            servers,
            name,
            "insert into generation_attempts (id, generation_id, org_id, voice_id, model_id, status)"
            " values ($1, $2, $3, $4, 'espeak-ng', 'rendered')",
            (new_id(), spoken, rows[2][1], voice),
        )
    )


def test_generations_of_before_have_their_audio_and_waiting_ones_their_place(servers: Servers, scratch: str) -> None:
    password = servers.service_database("generation").owner_password
    name = make_url(scratch).database or ""
    migrate.upgrade("generation", scratch, password, BEFORE)
    voice = new_id()
    statuses = {"pending": None, "processing": "key", "completed": "key", "failed": None}
    made = {status: new_id() for status in statuses}
    rows = [(made[status], new_id(), voice, status, key, 2.5 if key else None) for status, key in statuses.items()]
    _fill(servers, name, rows, voice, made["completed"])

    migrate.upgrade("generation", scratch, password)

    generations = asyncio.run(_fetch(servers, name, "select * from generations"))
    assert {row["id"]: row["rendition_id"] for row in generations} == {one: one for one in made.values()}
    assert {row["status"]: row["characters_spoken"] for row in generations}["completed"] == 6
    renditions = {row["id"]: row for row in asyncio.run(_fetch(servers, name, "select * from renditions"))}
    assert {status: renditions[made[status]]["status"] for status in statuses} == {
        "pending": "pending",
        "processing": "rendered",
        "completed": "completed",
        "failed": "failed",
    }
    (waiting,) = asyncio.run(
        _fetch(servers, name, "select rendition_id, spec from speech_queue q join renditions r on r.id = rendition_id")
    )
    assert waiting["rendition_id"] == made["pending"]
    spec = Spec.from_json(orjson.loads(waiting["spec"]))
    assert (spec.engine, spec.speed, spec.language, spec.output) == ("espeak-ng", 1.5, "de-DE", "wav")
    assert spec.voice == {"engine_voice": "de", "language": "de-DE"}
    (attempt,) = asyncio.run(_fetch(servers, name, "select rendition_id from generation_attempts"))
    assert attempt["rendition_id"] == made["completed"]

    too_new = (new_id(), rows[0][1], voice, "canceled", None, None)
    asyncio.run(_execute(servers, name, _INSERT, too_new))
    migrate.downgrade("generation", scratch, password, BEFORE)
    left = asyncio.run(_fetch(servers, name, "select id from generations"))
    assert {row["id"] for row in left} == set(made.values())
    confined = asyncio.run(
        _fetch(
            servers,
            name,
            "select relname from pg_class where relforcerowsecurity"
            " and relname in ('generations', 'generation_attempts', 'voices')",
        )
    )
    assert len(confined) == 3
