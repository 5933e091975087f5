"""Voices of recordings that were uploaded before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from libs.ids import new_id
from libs.objectstore import ObjectStore
from services.voice.domain import RECORDING_MAX_BYTES
from services.voice.domain.uploads import Uploaded
from services.voice.usecases import Deps
from tests.integration.voice.conftest import QUIET, Answer, Client, serving
from tests.unit.voice.wav import silence

OTHER = silence(11)


class Shelf:
    """Uploads of one organisation."""

    def __init__(self, org_id: UUID, objects: ObjectStore) -> None:
        self._org_id = org_id
        self._objects = objects
        self._uploads: dict[UUID, Uploaded] = {}

    async def put(self, content: bytes, kind: str = "audio", size: int | None = None) -> UUID:
        upload = Uploaded(new_id(), kind, f"media/orgs/{self._org_id}/{new_id()}", size or len(content))
        await self._objects.put(upload.object_key, content, "audio/wav")
        self._uploads[upload.id] = upload
        return upload.id

    async def find(self, org_id: UUID, upload_ids: Sequence[UUID]) -> list[Uploaded]:
        return [self._uploads[one] for one in upload_ids if org_id == self._org_id and one in self._uploads]


async def created(
    client: Client, upload_ids: Sequence[object], files: Sequence[bytes] = (), **fields: Any
) -> Answer:  # Any: as the client has them
    form = aiohttp.FormData({"name": f"Voice {new_id()}", **fields}, default_to_multipart=True)
    form.add_field("upload_ids", ",".join(map(str, upload_ids)))
    for content in files:
        form.add_field("file", content, filename="me.wav", content_type="audio/wav")
    return await client.ask("POST", "/v1/voices", data=form)


async def test_a_voice_of_uploads_keeps_recordings_of_its_own(deps: Deps, objects: ObjectStore) -> None:
    org_id = new_id()
    shelf = Shelf(org_id, objects)
    upload = await shelf.put(OTHER)
    async with serving(replace(deps, find_uploads=shelf.find)) as session:
        client = Client(session, org_id)
        answer = await created(client, [upload], [QUIET])
        assert answer.status == 201, answer.body
        samples = (await client.get(f"/v1/voices/{answer.body['id']}/samples")).body["items"]
        assert [sample["size_bytes"] for sample in samples] == [len(QUIET), len(OTHER)]
        only = await created(client, [await shelf.put(silence(12))])
        assert only.status == 201, only.body


@pytest.mark.parametrize("what", ["unknown", "foreign", "not audio", "twice", "too many", "no id", "nothing"])
async def test_uploads_of_which_no_voice_can_be_made(deps: Deps, objects: ObjectStore, what: str) -> None:
    org_id = new_id()
    shelf = Shelf(org_id, objects)
    upload = await shelf.put(OTHER)
    named: dict[str, list[object]] = {
        "unknown": [new_id()],
        "foreign": [upload],
        "not audio": [await shelf.put(b"GIF89a", "image")],
        "twice": [upload, upload],
        "too many": [new_id() for _ in range(9)],
        "no id": ["me.wav"],
        "nothing": [],
    }
    async with serving(replace(deps, find_uploads=shelf.find)) as session:
        answer = await created(Client(session, new_id() if what == "foreign" else org_id), named[what])

    assert answer.status == 422
    fields = [error["field"] for error in answer.body["errors"]]
    assert fields == (["file"] if what == "nothing" else ["upload_ids"])


async def test_uploads_that_are_too_large_together_are_not_read(deps: Deps, objects: ObjectStore) -> None:
    org_id = new_id()
    shelf = Shelf(org_id, objects)
    uploads = [await shelf.put(OTHER, size=RECORDING_MAX_BYTES // 2 + 1) for _ in range(2)]
    async with serving(replace(deps, find_uploads=shelf.find)) as session:
        answer = await created(Client(session, org_id), uploads)
    assert (answer.status, answer.body["code"]) == (413, "file_too_large")
