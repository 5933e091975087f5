"""Losing objects of a running system, finding that out, and having them made again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from libs.objectstore import ObjectStore, ObjectStoreAddress
from tests.chaos.books import database
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack


@asynccontextmanager
async def object_store(stack: Stack) -> AsyncIterator[ObjectStore]:
    exports = stack.exports()
    store = ObjectStore(
        ObjectStoreAddress(
            exports["ANTIPHON_S3_ENDPOINT"],
            exports["ANTIPHON_S3_REGION"],
            exports["ANTIPHON_S3_BUCKET"],
            exports["ANTIPHON_S3_ACCESS_KEY"],
            exports["ANTIPHON_S3_SECRET_KEY"],
        )
    )
    try:
        yield store
    finally:
        await store.close()


async def test_lost_and_damaged_audio_is_found_and_made_again_and_left_overs_go(stack: Stack, api: Api) -> None:
    voice_id = (await api.voices())[0]["id"]
    spoken = [await api.speak(f"Number {number} of {uuid4().hex}.", voice_id) for number in range(3)]

    async def tracks() -> dict[str, str] | None:
        items = (await api.get("/v1/tracks", params={"limit": "100"})).json["items"]
        found = {one["generation_id"]: one["id"] for one in items}
        return found if all(one["id"] in found for one in spoken) else None

    track_ids = await eventually(tracks, within=30, what="a track for each")
    assert track_ids is not None
    missing, damaged, whole = (track_ids[one["id"]] for one in spoken)
    async with database(stack, "storage") as connection:
        rows = await connection.fetch("select id::text, object_key, org_id::text from audio_tracks")
    keys = {row["id"]: row["object_key"] for row in rows}
    org_id = next(row["org_id"] for row in rows if row["id"] == whole)
    stray = f"generations/orgs/{org_id}/{uuid4()}/{uuid4().hex}.mp3"
    async with object_store(stack) as objects:
        await objects.delete(keys[missing])
        await objects.put(keys[damaged], b"something else", "audio/mpeg")
        await objects.put(stray, b"left behind", "audio/mpeg")
        found = stack.run("storage", "verify", "--repair", "--older-than", "0", check=False)
        assert found.returncode == 1, found.stderr
        assert f"missing: track {missing} of generation {spoken[0]['id']}" in found.stdout
        assert f"damaged: track {damaged} of generation {spoken[1]['id']}" in found.stdout
        assert whole not in found.stdout
        assert "to be made again: 2" in found.stdout

        async def all_there() -> bool:
            answers = [await api.get(f"/v1/tracks/{one}/audio") for one in (missing, damaged, whole)]
            return [answer.status for answer in answers] == [200, 200, 200]

        await eventually(all_there, within=60, what="all audio")
        again = stack.run("storage", "verify")
        assert "missing: 0\ndamaged: 0\nlost before, and not made again yet: 0" in again.stdout
        # The stray, and what lay in the place of the damaged one.
        stack.run("storage", "sweep", "--older-than", "0")

        async def gone() -> bool:
            return not await objects.exists(stray) and not await objects.exists(keys[damaged])

        await eventually(gone, within=30, what="what nothing refers to")
        assert (await api.get(f"/v1/tracks/{damaged}/audio")).status == 200
        assert "unreferenced: 0" in stack.run("storage", "sweep", "--older-than", "0", "--dry-run").stdout
