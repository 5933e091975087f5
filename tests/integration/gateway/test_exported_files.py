"""Files that go along with an export: listed by services, read when the archive is sent, in memory for one chunk."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from sqlalchemy import text

from libs.archive.zip_stream import stream_zip
from libs.contracts.antiphon.gateway.v1.events_pb2 import DataExported, ExportRequested
from libs.contracts.antiphon.storage.v1 import events_pb2 as storage_events
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Bus, Delivery
from libs.objectstore import ObjectStore
from libs.outbox import exported_files
from libs.outbox.exported_files import TakenFile, read_files
from libs.outbox.exporting import exports, files_key
from services.gateway.domain.exports import SERVICES, Files, Part
from services.gateway.store.exports import get_export
from services.gateway.usecases import exporting as gateway
from services.storage.usecases import exporting as storage
from tests.integration.gateway.access import Person
from tests.integration.gateway.asking import Api
from tests.integration.gateway.conftest import running_gateway
from tests.integration.gateway.exporting import Deps, events_of
from tests.support.outbox import UNSENT
from tests.support.servers import Servers


@pytest.fixture
async def api(keeping: Database, bus: Bus, objects: ObjectStore) -> AsyncIterator[Api]:
    async with running_gateway(keeping, bus, {}, objects=objects) as url, aiohttp.ClientSession(url) as session:
        yield Api(session)


async def _begin(api: Api, owner: Person, keeping: Database) -> UUID:
    status, begun = await api(owner.key, "POST", "/v1/organization/export", {"include_audio": True})
    assert (status, begun["include_audio"]) == (202, True)
    (asked,) = await events_of(keeping, owner.org_id, ExportRequested)
    assert (asked.export_id, asked.include_audio) == (begun["id"], True)
    return UUID(begun["id"])


async def _answer(
    keeping: Database, objects: ObjectStore, org_id: UUID, export_id: UUID, files: Sequence[TakenFile], tally: Files
) -> None:
    """Storage has files, and the others say that they have nothing."""
    listed = files_key(org_id, export_id, "storage")
    await objects.put(listed, b"".join(file.line() for file in files), "application/x-ndjson")
    rows = await objects.put(listed.replace(".files", ".ndjson"), b"{}\n", "application/x-ndjson")
    for service in sorted(SERVICES):
        part = Part(service, {}, None, None, 0, None, 1, datetime.now(UTC))
        if service == "storage":
            key = listed.replace(".files", ".ndjson")
            part = Part(service, {"media_assets": 1}, key, rows, 3, None, 1, datetime.now(UTC), tally)
        async with keeping.transaction(org_id) as session:
            await gateway.collect_part(session, org_id, export_id, part, cause=None)


async def test_files_go_along_and_those_that_are_gone_are_named(
    api: Api, owner: Person, keeping: Database, objects: ObjectStore
) -> None:
    export_id = await _begin(api, owner, keeping)
    files = [TakenFile(f"audio-{n}.mp3", f"generations/orgs/{owner.org_id}/{n}") for n in range(3)]
    for file in files[:2]:
        await objects.put(file.key, file.name.encode() * 100_000, "audio/mpeg")
    tally = Files(files_key(owner.org_id, export_id, "storage"), 3, 3_300_000, 7, 9_000_000)
    await _answer(keeping, objects, owner.org_id, export_id, files, tally)
    status, content_type, content = await api.download(owner.key, f"/v1/exports/{export_id}/download")
    assert (status, content_type) == (200, "application/zip")
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    assert set(archive.namelist()) == {
        "report.json",
        "storage.ndjson",
        "audio-0.mp3",
        "audio-1.mp3",
        "deleted-meanwhile.txt",
    }
    assert archive.read("audio-1.mp3") == b"audio-1.mp3" * 100_000
    assert archive.read("deleted-meanwhile.txt") == b"audio-2.mp3\n"
    (told,) = [part["files"] for part in json.loads(archive.read("report.json"))["parts"] if part["files"]]
    assert (told["count"], told["left_out"], told["left_out_bytes"]) == (3, 7, 9_000_000)
    assert "7 files of 9000000 bytes are left out" in told["note"]
    assert b"/orgs/" not in archive.read("report.json")
    assert (await api(owner.key, "DELETE", f"/v1/exports/{export_id}"))[0] == 204
    deps: Any = Deps(keeping, objects)  # Any: the part of the gateway's dependencies that a sweep needs
    while await gateway.expire_some(deps):
        pass
    assert not await objects.exists(files_key(owner.org_id, export_id, "storage"))
    assert await objects.exists(files[0].key), "the organisation's own audio stays"


async def test_memory_does_not_grow_with_what_goes_along(
    api: Api, owner: Person, keeping: Database, objects: ObjectStore
) -> None:
    export_id = await _begin(api, owner, keeping)
    size, count = 4 * 2**20, 16
    files = [TakenFile(f"media-{n}.bin", f"media/orgs/{owner.org_id}/{n}") for n in range(count)]
    for file in files:
        await objects.put(file.key, bytes(size), "application/octet-stream")
    tally = Files(files_key(owner.org_id, export_id, "storage"), count, size * count)
    await _answer(keeping, objects, owner.org_id, export_id, files, tally)
    async with keeping.transaction(owner.org_id) as session:
        export = await get_export(session, export_id)
    assert export is not None
    sent = 0
    tracemalloc.start()
    try:
        entries = gateway.entries(objects, datetime.now(UTC), b"{}", export.files(datetime.now(UTC)))
        async for chunk in stream_zip(entries):
            sent += len(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sent > size * count
    assert peak < size, f"{peak} bytes were in memory at once"


async def test_a_list_is_read_in_chunks_of_any_size() -> None:
    files = [TakenFile(f"media-{n}-“\n”.bin", f"media/{n}") for n in range(50)]
    content = b"".join(file.line() for file in files)

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    for size in (1, 7, 1000, len(content)):
        assert [file async for file in read_files(chunks(size))] == files


_MEDIA = text(
    """
    insert into media_assets
        (id, org_id, purpose, kind, filename, object_key, content_type, size_bytes, sha256, created_at)
    select gen_random_uuid(), :org, 'media', 'image', n || '.png', 'media/orgs/x/' || gen_random_uuid(), 'image/png',
        n, repeat('0', 64), now() + make_interval(secs => n)
    from generate_series(1, 5) n
    """
)


async def test_what_would_be_too_much_is_left_out_and_counted(
    servers: Servers, migrated: Callable[[str], None], objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(migrated, "storage")
    database = servers.database("storage", hooks=[UNSENT])
    work = exports("storage", storage_events.DataExported, storage.EXPORTED)
    org_id = new_id()
    try:
        async with database.transaction(org_id) as session:
            await session.execute(_MEDIA, {"org": org_id})
        told: list[Any] = []  # Any: the events' class is made at run time
        for wanted, most_files, most_bytes in ((True, 100, 100), (True, 3, 100), (True, 100, 7), (False, 100, 100)):
            monkeypatch.setattr(exported_files, "FILES_MOST", most_files)
            monkeypatch.setattr(exported_files, "BYTES_MOST", most_bytes)
            asked = ExportRequested(org_id=str(org_id), export_id=str(new_id()), include_audio=wanted)
            await work.handler(Delivery(asked, str(new_id()), 1), Deps(database, objects))
            told.append((await events_of(database, org_id, storage_events.DataExported))[-1])
        for event in told[:3]:
            names = [json.loads(line)[0] for line in (await objects.get(event.files_key)).splitlines()]
            assert len(names) == event.files
            assert all(name.startswith("media-") and name.endswith(".png") for name in names)
        counted = [(one.files, one.files_bytes, one.files_left_out, one.files_left_out_bytes) for one in told]
        assert counted == [(5, 15, 0, 0), (3, 6, 2, 9), (3, 6, 2, 9), (0, 0, 0, 0)]
        assert told[3].files_key == ""
        rows = [json.loads(line)["row"] for line in (await objects.get(told[0].object_key)).splitlines()]
        assert {row["file"] for row in rows} == {f"media-{row['id']}-{row['filename']}" for row in rows}
    finally:
        await database.close()
    assert DataExported.DESCRIPTOR.fields_by_name.keys() == storage_events.DataExported.DESCRIPTOR.fields_by_name.keys()
