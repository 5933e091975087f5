"""An organisation takes along what it has in the whole stack: rows of every service, and nobody else's."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any
from uuid import uuid4

from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack

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

        async def counted() -> dict[str, bytes] | None:
            """The files, once those services that hear of it later have rows of it, too."""
            begun = await theirs.post("/v1/organization/export")
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
        rows = [json.loads(line)["row"] for line in files["generation.ndjson"].splitlines()]
        assert rows[0]["text"] == f"This one goes along, {word}."
        assert (await theirs.get(rows[0]["audio"])).status == 200
        everything = b"".join(files.values())
        assert spoken["id"].encode() in everything
        assert stays["id"].encode() not in everything
        assert made.json["key"]["key"].encode() not in everything
        for word_inside in (b"object_key", b"/orgs/", b'"hash":"\\\\x'):
            assert word_inside not in files["generation.ndjson"] + files["storage.ndjson"] + files["voice.ndjson"]
