"""A projection is built anew from the archives while the system runs."""

from __future__ import annotations

import asyncio

from tests.chaos.books import database
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack

_VOICES = "select id, org_id, name, engine, revision, deleted from voices order by id"


async def test_a_table_is_rebuilt_while_voices_come_and_go(stack: Stack, api: Api) -> None:
    gone = (await api.upload_voice("Gone before")).json["id"]
    assert (await api.delete(f"/v1/voices/{gone}")).status == 204
    kept = (await api.upload_voice("Kept")).json["id"]
    await api.speak("Known before.", kept)
    async with database(stack, "generation") as connection, database(stack, "generation") as reader:

        async def buried() -> bool:
            return bool(await connection.fetchval("select deleted from voices where id = $1", gone))

        await eventually(buried, what="the tombstone of a voice")
        before = await connection.fetch(_VOICES)
        # What some mistake has done to the table.
        await connection.execute(
            "update voices set name = 'wrong', deleted = not deleted where id in ($1, $2)", gone, kept
        )
        fewest = len(before)
        reading = True

        async def read() -> None:
            nonlocal fewest
            while reading:
                fewest = min(fewest, await reader.fetchval("select count(*) from voices"))
                await asyncio.sleep(0.002)

        watching = asyncio.create_task(read())
        rebuilding = asyncio.create_task(asyncio.to_thread(stack.run, "projections", "rebuild", "generation.voices"))
        new = (await api.upload_voice("Came meanwhile")).json["id"]
        done = await rebuilding
        reading = False
        await watching
        assert "rebuilt generation.voices" in done.stdout
        assert fewest >= len(before)
        after = {row["id"]: row for row in await connection.fetch(_VOICES)}
        assert [after[row["id"]] for row in before] == before
    await api.speak("Known after, too.", new)
    for voice in (kept, new):
        assert (await api.delete(f"/v1/voices/{voice}")).status == 204


def test_what_can_be_rebuilt_is_listed_and_the_rest_refused(stack: Stack) -> None:
    listed = stack.run("projections", "list").stdout
    assert "generation.voices: from antiphon.voice.v1.VoiceReady" in listed
    assert "- analytics: antiphon.generation.v1.GenerationCompleted" in listed
    refused = stack.run("projections", "rebuild", "analytics", check=False)
    assert refused.returncode == 1
    assert "generation.voices" in refused.stderr
