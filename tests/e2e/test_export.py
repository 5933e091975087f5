"""An organisation takes along what it has in the whole stack: rows of every service, and nobody else's."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any
from uuid import uuid4

from tests.support import media
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack
from tests.support.uploads import uploaded

WRITTEN = {
    "gateway": {"organizations", "users", "memberships", "api_keys", "audit_log"},
    "voice": {"voices", "voice_samples"},
    "generation": {"generations", "generation_attempts", "dictionaries", "dictionary_versions"},
    "storage": {"audio_tracks", "audio_alignments"},
    "embedding": {"documents", "chunks"},
    "analytics": {"subscriptions", "usage_metrics", "usage_totals", "usage_daily", "reservations"},
}
"""What an organisation with a voice, speech and a dictionary has rows in."""


async def _finished(api: Api, path: str) -> dict[str, Any] | None:
    export: dict[str, Any] = (await api.get(path)).json
    return export if export["status"] != "running" else None


def _rows(file: bytes, table: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in file.splitlines()]
    return [line["row"] for line in lines if line["table"] == table]


async def _require_files(theirs: Api, files: dict[str, bytes], generation_id: str, rendition_id: str) -> None:
    """What was spoken and what was recorded is in the archive just as the API sends it."""
    assert files[f"audio-{rendition_id}.mp3"] == (await theirs.get(f"/v1/generations/{generation_id}/audio")).content
    (sample,) = _rows(files["voice.ndjson"], "voice_samples")
    assert files[sample["file"]] == (await theirs.get(sample["audio"])).content
    listed = (await theirs.get("/v1/exports")).json["items"]
    assert {one["status"] for one in listed} == {"completed"}
    (kept,) = _rows(files["storage.ndjson"], "media_assets")
    assert files[kept["file"]] == (await theirs.get(kept["content"])).content


async def test_an_organisation_takes_along_all_that_it_made(stack: Stack, api: Api) -> None:
    word = uuid4().hex[:8]
    wanted = {"name": f"Moving {word}", "plan": "pro", "owner": {"email": f"{word}@example.org", "name": "Ada"}}
    made = await api.post("/v1/organizations", json=wanted)
    assert made.status == 201, made.content
    stays = await api.speak(f"This one is somebody else's, {word}.", (await api.voices())[0]["id"])
    async with Api(stack.url, made.json["key"]["key"]) as theirs:
        voice = await theirs.upload_voice(f"Theirs {word}")
        spoken = await theirs.speak(f"This one goes along, {word}.", voice.json["id"])
        rules = [{"phrase": "Antiphon", "replacement": "an tee fon"}]
        assert (await theirs.post("/v1/dictionaries", json={"name": "Names", "rules": rules})).status == 201

        tone = media.tone("mp3", "libmp3lame", seconds=1)
        await uploaded(theirs, tone, filename="tone.mp3", content_type="audio/mpeg")

        async def counted() -> dict[str, bytes] | None:
            """The files, once those services that hear of it later have rows of it, too."""
            begun = await theirs.post("/v1/organization/export", json={"include_audio": True})
            assert begun.status == 202, begun.content
            path = begun.headers["Location"]
            done = await eventually(lambda: _finished(theirs, path), within=30, what="every part")
            assert done is not None
            assert done["status"] == "completed", done
            downloaded = await theirs.get(f"{path}/download")
            assert downloaded.status == 200
            archive = zipfile.ZipFile(io.BytesIO(downloaded.content))
            files = {name: archive.read(name) for name in archive.namelist()}
            for part in done["parts"]:
                file = files[part["file"]["name"]]
                assert hashlib.sha256(file).hexdigest() == part["file"]["sha256"]
                assert len(file.splitlines()) == sum(part["counts"].values())
            seen = {part["service"]: {name for name, rows in part["counts"].items() if rows} for part in done["parts"]}
            return files if all(WRITTEN[service] <= seen[service] for service in WRITTEN) else None

        files = await eventually(counted, within=60, what="rows of every service")
        assert files is not None
        rows = _rows(files["generation.ndjson"], "generations")
        await _require_files(theirs, files, spoken["id"], rows[0]["rendition_id"])
        assert rows[0]["text"] == f"This one goes along, {word}."
        assert (await theirs.get(rows[0]["audio"])).status == 200
        everything = b"".join(content for name, content in files.items() if name.endswith(".ndjson"))
        assert spoken["id"].encode() in everything
        assert stays["id"].encode() not in everything
        assert made.json["key"]["key"].encode() not in everything
        for word_inside in (b"object_key", b"/orgs/", b'"hash":"\\\\x'):
            assert word_inside not in files["generation.ndjson"] + files["storage.ndjson"] + files["voice.ndjson"]
