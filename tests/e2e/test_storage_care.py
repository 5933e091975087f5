"""Losing objects of a running system, finding that out, and having them made again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from libs.objectstore import ObjectStore, ObjectStoreAddress
from tests.chaos.books import database
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack
from tests.support.uploads import uploaded


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


async def test_what_voices_pieces_and_files_lost_is_found_and_made_again_as_far_as_it_can_be(
    stack: Stack, api: Api
) -> None:
    text = " ".join(f"Sentence number {number} of {uuid4().hex} is spoken slowly." for number in range(20))
    voice_id = (await api.voices())[0]["id"]
    spoken = await api.speak(text, voice_id)
    custom = (await api.upload_voice(f"Lost {uuid4().hex[:8]}")).json["id"]
    content = f"Tulips {uuid4().hex}".encode()
    media = await uploaded(api, content, purpose="document", filename="a.txt", content_type="text/plain")
    piece, preview, file = await _keys(stack, spoken["id"], custom, media["id"])
    system = f"voices/system/{voice_id}"
    async with object_store(stack) as objects:
        heard = await objects.get(system)
        for key in (preview, system, file):
            await objects.delete(key)
        await objects.put(piece, (await objects.get(piece))[:-1] + b"!", "application/octet-stream")
        found = stack.run("storage", "verify", "--repair", check=False)
        assert found.returncode == 1, found.stderr
        organization = piece.split("/")[2]
        key = piece.rpartition("/")[2]
        for line in (
            f"damaged: piece {key[:16]} of organisation {organization}\n",
            f"missing: preview of voice {custom}\n",
            f"missing: preview of voice {voice_id}\n",
            f"missing: media {media['id']} of organisation {organization}; cannot be made again\n",
            "cannot be made again: 1\n",
            "to be made again: 3\n",
        ):
            assert line in found.stdout, found.stdout
        # No two times it is spoken are the same to the last bit.
        assert abs(len(await objects.get(system)) - len(heard)) < len(heard) / 10

        async def only_the_file_is_lost() -> bool:
            again = stack.run("storage", "verify", check=False)
            return "missing: 1\ndamaged: 0\n" in again.stdout and "cannot be made again: 1\n" in again.stdout

        await eventually(only_the_file_is_lost, within=90, what="everything else to be made again")
    assert (await api.get(f"/v1/voices/{custom}")).json["status"] == "ready"
    assert (await api.get(f"/v1/voices/{custom}/preview")).status == 200
    # Joined anew, of the piece that was spoken again.
    again = await api.speak(text, voice_id, cache=False)
    assert again["duration_seconds"] == pytest.approx(spoken["duration_seconds"], rel=0.01)
    # Its owner gives the file up; then nothing is wrong.
    assert (await api.delete(f"/v1/media/{media['id']}")).status == 204
    assert "missing: 0\ndamaged: 0\n" in stack.run("storage", "verify").stdout


async def _keys(stack: Stack, generation_id: str, voice_id: str, media_id: str) -> tuple[str, str, str]:
    """Where a piece of a generation, the preview of a voice, and a file lie."""
    async with database(stack, "generation") as connection:
        piece = await connection.fetchval(
            "select s.object_key from generation_chunks c join speech_cache s using (org_id, cache_key)"
            " join generations g on g.rendition_id = c.rendition_id where g.id = $1::uuid and c.idx = 1",
            generation_id,
        )
    async with database(stack, "voice") as connection:
        preview = await connection.fetchval("select preview_key from voices where id = $1::uuid", voice_id)
    async with database(stack, "storage") as connection:
        file = await connection.fetchval("select object_key from media_assets where id = $1::uuid", media_id)
    return piece, preview, file
