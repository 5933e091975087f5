from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.database import Database
from libs.ids import new_id
from libs.speech.catalogue import SYSTEM_VOICES
from services.voice.usecases import Deps
from tests.integration.voice.conftest import Client
from tests.integration.voice.seeded import ready_voice, seed_rows


async def test_a_stranger_finds_reads_and_deletes_nothing(client: Client, stranger: Client, deps: Deps) -> None:
    mine = await ready_voice(deps, client, "Mine", description="secret")
    theirs = await ready_voice(deps, stranger, "Theirs")
    for somebody, own, foreign in ((client, mine, theirs), (stranger, theirs, mine)):
        listed = (await somebody.get("/v1/voices", variant="CUSTOM")).body["items"]
        assert [item["id"] for item in listed] == [own["id"]]
        found = (await somebody.get("/v1/voices", query=foreign["name"])).body["items"]
        assert foreign["id"] not in {item["id"] for item in found}
        owner = client if foreign is mine else stranger
        [sample] = (await owner.get(f"/v1/voices/{foreign['id']}/samples")).body["items"]
        for method, path, body in (
            ("GET", "", None),
            ("GET", "/audio", None),
            ("HEAD", "/audio", None),
            ("GET", "/preview", None),
            ("GET", "/settings", None),
            ("PUT", "/settings", {"speed": 2}),
            ("GET", "/samples", None),
            ("GET", f"/samples/{sample['id']}/audio", None),
            ("DELETE", f"/samples/{sample['id']}", None),
            ("PATCH", "", {"name": "Stolen"}),
            ("DELETE", "", None),
        ):
            answer = await somebody.ask(method, f"/v1/voices/{foreign['id']}{path}", json=body)
            assert answer.status == 404
            assert method == "HEAD" or answer.body["code"] == "voice_not_found"
        own_path = f"/v1/voices/{own['id']}/samples/{sample['id']}"
        assert (await somebody.get(f"{own_path}/audio")).body["code"] == "sample_not_found"
        assert (await somebody.ask("DELETE", own_path)).body["code"] == "sample_not_found"
    assert await client.voice(mine["id"]) == mine
    assert await stranger.voice(theirs["id"]) == theirs


async def test_no_answer_tells_organisation_or_object_key(client: Client) -> None:
    voice = await client.created("Discreet")
    answers = [
        await client.get("/v1/voices"),
        await client.get("/v1/voices", status="processing"),
        await client.get(f"/v1/voices/{voice['id']}"),
        await client.get(f"/v1/voices/{voice['id']}/samples"),
        await client.create("discreet"),
    ]
    for answer in answers:
        assert str(client.org_id) not in str(answer.body)
        assert "object" not in str(answer.body)


async def test_statements_without_a_filter_touch_only_their_own_rows(
    client: Client, stranger: Client, database: Database
) -> None:
    voice = await client.created("Mine")
    async with database.transaction(stranger.org_id) as session:
        for table in ("voices", "voice_samples"):
            statement = text(f"select count(*) from {table} where org_id = :org")  # noqa: S608 - names from above
            assert (await session.execute(statement, {"org": client.org_id})).scalar_one() == 0
            assert _touched(await session.execute(text(f"update {table} set object_key = 'x'"))) == 0  # noqa: S608
            assert _touched(await session.execute(text(f"delete from {table}"))) == 0  # noqa: S608
    async with database.transaction() as session:
        custom = text("select count(*) from voices where variant = 'CUSTOM'")
        assert (await session.execute(custom)).scalar_one() == 0
        assert (await session.execute(text("select count(*) from voice_samples"))).scalar_one() == 0
    assert (await client.get(f"/v1/voices/{voice['id']}")).body == voice


def _touched(result: object) -> int:
    count: int = getattr(result, "rowcount", -1)
    return count


VOICE = """
insert into voices (id, org_id, name, variant, engine, engine_settings)
values (:id, :org, 'Smuggled', :variant, 'espeak-ng', '{}')
"""
SAMPLE = """
insert into voice_samples
    (id, voice_id, org_id, object_key, content_type, size_bytes, sha256, duration_seconds, sample_rate, channels)
values (:id, :voice, :org, 'x', 'audio/wav', 1, repeat('0', 64), 10, 16000, 1)
"""


async def test_nobody_writes_for_another_organisation_or_for_everybody(
    client: Client, stranger: Client, database: Database
) -> None:
    voice = await client.created("Mine")
    attempts: list[tuple[str, dict[str, object]]] = [
        (VOICE, {"id": new_id(), "org": client.org_id, "variant": "CUSTOM"}),
        (VOICE, {"id": new_id(), "org": None, "variant": "SYSTEM"}),
        (SAMPLE, {"id": new_id(), "org": client.org_id, "voice": voice["id"]}),
    ]
    for statement, values in attempts:
        with pytest.raises(DBAPIError, match="row-level security"):
            async with database.transaction(stranger.org_id) as session:
                await session.execute(text(statement), values)


async def test_system_voices_are_read_by_all_and_written_by_none(
    client: Client, database: Database, deps: Deps
) -> None:
    await seed_rows(deps)
    of_all = text("select count(*) from voices where variant = 'SYSTEM'")
    async with database.transaction(client.org_id) as session:
        assert (await session.execute(of_all)).scalar_one() >= len(SYSTEM_VOICES)
        assert _touched(await session.execute(text("update voices set name = 'x' where variant = 'SYSTEM'"))) == 0
        assert _touched(await session.execute(text("delete from voices where variant = 'SYSTEM'"))) == 0
