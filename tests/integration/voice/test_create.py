from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceCreated, VoiceReady, VoiceSubmitted
from libs.database import Database
from libs.ids import new_id
from libs.objectstore import ObjectStore, ObjectStoreAddress
from libs.web import Caller, Once
from services.storage.domain.keys import Audience, audience_of
from services.voice import store
from services.voice.domain import RECORDING_MAX_BYTES, Category, NewVoice, VoiceNotFound
from services.voice.usecases import Deps, create_voice, delete_voice
from tests.integration.voice.conftest import QUIET, Client, serving
from tests.support.outbox import written_events
from tests.support.servers import Servers
from tests.unit.voice.wav import silence


async def test_recordings_become_a_voice_that_is_to_be_examined(
    client: Client, database: Database, objects: ObjectStore
) -> None:
    files = [silence(12.5, rate=8_000, channels=2), b"fLaC is not judged by its first bytes"]
    answer = await client.create(
        " CEO Announcements ",
        {"description": "For the lobby", "category": "CORPORATE", "language": "en-gb"},
        files=files,
    )
    assert answer.status == 201
    voice = answer.body
    assert answer.headers["location"] == f"/v1/voices/{voice['id']}"
    assert voice | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "name": "CEO Announcements",
        "description": "For the lobby",
        "category": "CORPORATE",
        "category_label": "Corporate",
        "language": "en-GB",
        "variant": "CUSTOM",
        "status": "processing",
        "reasons": [],
        "settings": {"speed": 1.0, "pitch": 0.0, "volume": 1.0},
        "engine": "espeak-ng",
        "sample_count": 2,
        "quality": None,
        "matching": None,
        "preview_url": f"/v1/voices/{voice['id']}/audio",
        "created_at": "",
        "updated_at": "",
    }
    assert await client.voice(voice["id"]) == voice

    async with database.transaction(client.org_id) as session:
        rows = (await session.execute(text("select * from voice_samples order by position"))).mappings().all()
    for row, content, kind in zip(rows, files, ("audio/wav", "audio/flac"), strict=True):
        assert row["object_key"] == f"voices/orgs/{client.org_id}/{voice['id']}/{row['id']}"
        assert audience_of(row["object_key"], client.org_id) is Audience.ORGANIZATION
        assert await objects.get(row["object_key"]) == content
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert (row["size_bytes"], row["content_type"]) == (len(content), kind)
        assert (row["duration_seconds"], row["report"]) == (None, None)

    [created] = await written_events(database, VoiceCreated, org_id=client.org_id)
    assert (created.voice_id, created.org_id, created.variant) == (voice["id"], str(client.org_id), "CUSTOM")
    [submitted] = await written_events(database, VoiceSubmitted, org_id=client.org_id)
    assert (submitted.voice_id, submitted.org_id) == (voice["id"], str(client.org_id))
    assert await written_events(database, VoiceReady, org_id=client.org_id) == []


async def test_files_are_taken_under_both_names_and_empty_ones_are_not_there(client: Client) -> None:
    answer = await client.create("Several", files=[silence(1), b"", silence(2)], part="files")
    assert (answer.status, answer.body["sample_count"]) == (201, 2)


async def test_only_name_and_file_are_needed(client: Client) -> None:
    voice = await client.created("Plain")
    assert (voice["category"], voice["language"], voice["description"]) == ("GENERAL", "en-US", None)


async def test_a_voice_is_played_by_storage(client: Client) -> None:
    voice = await client.created("Played")
    for method in ("GET", "HEAD"):
        answer = await client.ask(method, voice["preview_url"])
        assert (answer.status, answer.body) == (200, b"")
        expected = f"storage /internal/objects/voices/orgs/{client.org_id}/{voice['id']}/"
        assert answer.headers["x-antiphon-handover"].startswith(expected)


async def test_a_name_is_given_once_within_an_organisation(
    client: Client, stranger: Client, database: Database
) -> None:
    voice = await client.created("Élodie")
    again = await client.create("éLODIE")
    assert (again.status, again.body["code"]) == (409, "voice_name_taken")
    assert again.body["errors"][0]["field"] == "name"
    assert (await stranger.create("Élodie")).status == 201
    assert len(await written_events(database, VoiceCreated, org_id=client.org_id)) == 1
    assert (await client.ask("DELETE", f"/v1/voices/{voice['id']}")).status == 204
    assert (await client.create("ÉLODIE")).status == 201


async def test_of_many_voices_of_one_name_at_once_one_is_made(client: Client) -> None:
    answers = await asyncio.gather(*(client.create("Contested") for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert len((await client.get("/v1/voices", status="processing")).body["items"]) == 1


class NotingStore(ObjectStore):
    """The real store; notes what was put."""

    def __init__(self, address: ObjectStoreAddress) -> None:
        super().__init__(address)
        self.keys: list[str] = []

    async def put(self, key: str, content: bytes, content_type: str) -> str:
        self.keys.append(key)
        return await super().put(key, content, content_type)


async def test_a_voice_that_is_not_made_leaves_no_object(deps: Deps, servers: Servers) -> None:
    noting = NotingStore(servers.object_store_address)
    async with serving(replace(deps, objects=noting)) as http:
        client = Client(http, new_id())
        await client.created("Taken")
        assert (await client.create("Taken")).status == 409
    kept, removed = noting.keys
    assert await noting.exists(kept)
    assert not await noting.exists(removed)
    await noting.close()


async def test_without_an_object_store_nothing_is_made(deps: Deps, database: Database, unused_tcp_port: int) -> None:
    nowhere = ObjectStore(ObjectStoreAddress(f"http://127.0.0.1:{unused_tcp_port}", "r", "bucket", "key", "secret"))
    async with serving(replace(deps, objects=nowhere)) as http:
        client = Client(http, new_id())
        answer = await client.create("Homeless")
        assert (answer.status, answer.body["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
        assert (await client.get("/v1/voices", status="processing")).body["items"] == []
    await nowhere.close()
    assert await written_events(database, VoiceCreated, org_id=client.org_id) == []


TEXT_CASES = {
    "no name": ({"name": ""}, "name", "at least 1 character"),
    "blank name": ({"name": " \t "}, "name", "at least 1 character"),
    "long name": ({"name": "x" * 101}, "name", "at most 100 characters"),
    "NUL in name": ({"name": "a\0b"}, "name", "NUL"),
    "NUL in description": ({"description": "a\0b"}, "description", "NUL"),
    "long description": ({"description": "x" * 501}, "description", "at most 500 characters"),
    "unknown category": ({"category": "SINGING"}, "category", "'AUDIOBOOK'"),
    "no language tag": ({"language": "English (US)"}, "language", "BCP 47"),
    "empty language": ({"language": ""}, "language", "BCP 47"),
    "unspoken language": ({"language": "tlh-QO"}, "language", "no engine speaks tlh-QO"),
}


@pytest.mark.parametrize(("fields", "field", "message"), TEXT_CASES.values(), ids=TEXT_CASES)
async def test_fields_that_are_not_valid_are_named(
    client: Client, fields: dict[str, str], field: str, message: str
) -> None:
    answer = await client.create("A voice", fields)
    assert (answer.status, answer.body["code"]) == (422, "invalid_request")
    [error] = answer.body["errors"]
    assert error["field"] == field
    assert message in error["message"]
    assert (await client.get("/v1/voices", status="processing")).body["items"] == []


async def test_all_wrong_fields_are_named_at_once(client: Client) -> None:
    answer = await client.create("", {"category": "no", "language": "!"}, files=[b""])
    assert [error["field"] for error in answer.body["errors"]] == ["name", "category", "language", "file"]


async def test_a_recording_is_sent_once(client: Client, database: Database) -> None:
    answer = await client.create("Twice", files=[silence(4), silence(5), silence(4)])
    assert (answer.status, answer.body["code"]) == (422, "invalid_request")
    assert answer.body["errors"] == [
        {"field": "file", "message": "file 3 is the same as file 1; send every recording once"}
    ]
    assert await written_events(database, VoiceCreated, org_id=client.org_id) == []


async def test_eight_files_are_taken_and_no_more(client: Client) -> None:
    files = [silence(1 + number / 10) for number in range(9)]
    assert (await client.create("Eight", files=files[:8])).body["sample_count"] == 8
    answer = await client.create("Nine", files=files)
    assert (answer.status, answer.body["code"]) == (422, "invalid_request")
    assert "8" in answer.body["detail"]


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
async def test_twenty_megabytes_are_taken_and_no_byte_more(client: Client) -> None:
    padding = RECORDING_MAX_BYTES - len(silence(10))
    assert (await client.create("Largest", files=[silence(10) + bytes(padding)])).status == 201
    for excess in (1, 100_000, 30 * 2**20):
        for files in ([silence(10) + bytes(padding + excess)], [silence(10), bytes(padding + excess)]):
            answer = await client.create("Too large", files=files)
            assert (answer.status, answer.body["code"]) == (413, "file_too_large")
            assert "20 MB" in answer.body["detail"]


async def test_a_body_of_unknown_length_is_cut_off_too(client: Client) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(40):
            sent += 2**20
            yield bytes(2**20)

    answer = await client.ask("POST", "/v1/voices", data=endless(), content_type="multipart/form-data; boundary=b")
    assert (answer.status, answer.body["code"]) == (413, "file_too_large")


BODIES = {
    "json": ("application/json", b'{"name": "x"}', 415, "unsupported_media_type"),
    "no type": ("application/octet-stream", b"", 415, "unsupported_media_type"),
    "no boundary": ("multipart/form-data", b"x", 422, "invalid_request"),
    "no parts": ("multipart/form-data; boundary=b", b"hello", 422, "invalid_request"),
    "empty": ("multipart/form-data; boundary=b", b"", 422, "invalid_request"),
    "cut off": (
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data; na",
        422,
        "invalid_request",
    ),
    "odd character set": (
        "multipart/form-data; boundary=b; charset=punycode",
        b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\xfe-\r\n--b--\r\n',
        422,
        "invalid_request",
    ),
    "half a surrogate pair": (
        "multipart/form-data; boundary=b; charset=unicode_escape",
        b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n\\ud800\r\n--b--\r\n',
        422,
        "invalid_request",
    ),
    "two files without a name": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n' * 2 + b"--b--\r\n",
        422,
        "invalid_request",
    ),
}


@pytest.mark.parametrize(("content_type", "body", "status", "code"), BODIES.values(), ids=BODIES)
async def test_bodies_that_are_no_such_form_are_refused(
    client: Client, content_type: str, body: bytes, status: int, code: str
) -> None:
    answer = await client.ask("POST", "/v1/voices", data=body, content_type=content_type)
    assert (answer.status, answer.body["code"]) == (status, code)


async def test_without_identity_nothing_is_answered(client: Client) -> None:
    for method, path in (("GET", "/v1/voices"), ("POST", "/v1/voices"), ("DELETE", f"/v1/voices/{client.org_id}")):
        async with client.session.request(method, path) as response:
            assert response.status == 401
            assert response.content_type == "application/problem+json"


async def test_a_request_that_comes_again_makes_one_voice(deps: Deps, servers: Servers) -> None:
    caller, once = Caller(org_id=new_id(), key_id=new_id()), Once(new_id())
    wanted = NewVoice("Once", None, Category.GENERAL, "en-US")
    noting = NotingStore(servers.object_store_address)
    watched = replace(deps, objects=noting)
    made = await asyncio.gather(*(create_voice(watched, caller, wanted, [QUIET], once) for _ in range(4)))
    again = await create_voice(watched, caller, wanted, [QUIET], once)
    assert {voice.id for voice in [*made, again]} == {once.resource_id}
    async with deps.database.transaction(caller.org_id) as session:
        (sample,) = await store.list_samples(session, once.resource_id)
    assert [key for key in noting.keys if await noting.exists(key)] == [sample.object_key]
    await delete_voice(watched, caller, once.resource_id)
    with pytest.raises(VoiceNotFound):
        await create_voice(watched, caller, wanted, [QUIET], once)
    await noting.close()
