"""Documents that are brought by the id of an upload."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from libs.ids import new_id
from libs.messaging import Unavailable
from libs.objectstore import ObjectStore
from services.embedding.domain.files import FILE_MAX_BYTES
from services.embedding.domain.uploads import Uploaded
from services.embedding.usecases import Deps
from tests.integration.embedding_service.conftest import Client, Ledger, serving
from tests.integration.embedding_service.test_knowledge import index_all
from tests.support.pdfs import pdf

PAGES = ["Your money comes back within fourteen days.", "Tulips are planted in autumn."]


class Shelf:
    """Uploads of one organisation, as storage tells of them."""

    def __init__(self, org_id: UUID, objects: ObjectStore) -> None:
        self.org_id = org_id
        self.objects = objects
        self.uploads: dict[UUID, Uploaded] = {}
        self.is_away = False

    async def put(self, content: bytes, name: str, *, kind: str = "document", size: int | None = None) -> str:
        """Keep an upload; returns its id."""
        upload_id = new_id()
        key = f"media/orgs/{self.org_id}/{upload_id}/1"
        await self.objects.put(key, content, "application/octet-stream")
        digest = hashlib.sha256(content).hexdigest()
        self.uploads[upload_id] = Uploaded(kind, key, size or len(content), digest, name)
        return str(upload_id)

    async def find(self, org_id: UUID, upload_id: UUID) -> Uploaded | None:
        if self.is_away:
            raise Unavailable("storage is restarting")
        return self.uploads.get(upload_id) if org_id == self.org_id else None


@pytest.fixture
def shelf(objects: ObjectStore) -> Shelf:
    return Shelf(new_id(), objects)


@pytest.fixture
async def client(deps: Deps, shelf: Shelf) -> AsyncIterator[Client]:
    async with serving(replace(deps, find_upload=shelf.find)) as session:
        yield Client(session, shelf.org_id)


async def bring(client: Client, upload_id: object, **fields: object) -> tuple[int, dict[str, Any]]:  # Any: JSON
    return await client.call("POST", "/v1/documents", {"upload_id": upload_id, **fields})


async def test_a_pdf_is_found_with_its_pages_even_when_the_upload_is_gone(
    client: Client, shelf: Shelf, deps: Deps, ledger: Ledger
) -> None:
    upload_id = await shelf.put(pdf([PAGES[0], *(["Nothing is said here. " * 12] * 5), PAGES[1]]), "C:\\terms.pdf")
    status, brought = await bring(client, upload_id, source_id="terms", metadata={"shop": "north"})
    assert (status, brought["status"]) == (202, "pending"), brought
    assert (brought["title"], brought["source_type"], brought["source_id"]) == ("terms.pdf", "knowledge_file", "terms")
    assert await bring(client, upload_id, source_id="terms", metadata={"shop": "north"}) == (200, brought)
    await shelf.objects.delete(shelf.uploads.pop(UUID(upload_id)).object_key)
    await index_all(deps, ledger)
    (refund,) = await client.search("money", mode="text")
    assert refund["metadata"] == {"shop": "north", "page": "1"}
    assert (await client.call("DELETE", f"/v1/documents/{brought['id']}"))[0] == 204
    assert await client.search("money", mode="text") == []


async def test_text_is_read_as_it_begins_or_is_meant(client: Client, shelf: Shelf, deps: Deps, ledger: Ledger) -> None:
    upload_id = await shelf.put(b"<!DOCTYPE html><p>The lighthouse<br>is dark.</p>", "tale.html")
    assert (await bring(client, upload_id))[0] == 202
    status, other = await bring(client, upload_id, format="text", title="Source", source_type="knowledge_link")
    assert (status, other["title"], other["source_type"]) == (202, "Source", "knowledge_link")
    await index_all(deps, ledger)
    texts = {hit["title"]: hit["text"] for hit in await client.search("lighthouse", mode="text")}
    assert texts["tale.html"] == "The lighthouse\nis dark."
    assert texts["Source"].startswith("<!DOCTYPE")


WRONG = {
    "unknown": (lambda _: str(new_id()), {}, "upload_id", "is no finished upload; complete it first"),
    "no id": (lambda _: "terms.pdf", {}, "upload_id", "UUID"),
    "null": (lambda _: None, {}, "upload_id", "UUID"),
    "sound": (lambda shelf: shelf.put(b"RIFF", "a.wav", kind="audio"), {}, "upload_id", "is of kind audio"),
    "blank": (lambda shelf: shelf.put(b" \n", "a.txt"), {}, "upload_id", "nothing but white space"),
    "long": (lambda shelf: shelf.put(b"x" * 1_000_001, "a.txt"), {}, "upload_id", "more than 1000000 characters"),
    "a page": (lambda shelf: shelf.put(pdf(PAGES), "a.pdf"), {"metadata": {"page": "3"}}, "metadata", "kept of every"),
    "a text, too": (lambda shelf: shelf.put(b"Tulips", "a.txt"), {"text": "Tulips"}, "text", "not permitted"),
    "unknown field": (lambda shelf: shelf.put(b"Tulips", "a.txt"), {"colour": "blue"}, "colour", "not permitted"),
}


@pytest.mark.parametrize(("make", "fields", "field", "reason"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_named(
    client: Client, shelf: Shelf, make: Any, fields: dict[str, object], field: str, reason: str
) -> None:  # Any: some of them wait for the object store
    made = make(shelf)
    status, problem = await bring(client, await made if hasattr(made, "__await__") else made, **fields)
    assert status == 422, problem
    (error,) = problem["errors"]
    assert error["field"] == field
    assert reason in error["message"]


async def test_an_upload_of_somebody_else_is_as_one_that_is_not(
    client: Client, shelf: Shelf, deps: Deps, objects: ObjectStore
) -> None:
    upload_id = await shelf.put(b"Tulips are planted in autumn.", "a.txt")
    foreign = await bring(Client(client.session, new_id()), upload_id)
    unknown = await bring(client, new := str(new_id()))
    assert foreign[0] == unknown[0] == 422
    assert foreign[1]["detail"].replace(upload_id, new) == unknown[1]["detail"]


async def test_an_upload_that_is_too_large_is_not_read(client: Client, shelf: Shelf) -> None:
    upload_id = await shelf.put(b"small, or so", "a.txt", size=FILE_MAX_BYTES + 1)
    status, problem = await bring(client, upload_id)
    assert (status, problem["code"]) == (413, "file_too_large")
    (error,) = problem["errors"]
    assert (error["field"], error["limit"]) == ("upload_id", FILE_MAX_BYTES)


async def test_what_was_lost_or_damaged_is_never_read_as_if_it_were_whole(client: Client, shelf: Shelf) -> None:
    lost, damaged = [await shelf.put(b"Tulips are planted in autumn.", "a.txt") for _ in range(2)]
    await shelf.objects.delete(shelf.uploads[UUID(lost)].object_key)
    await shelf.objects.put(shelf.uploads[UUID(damaged)].object_key, b"Tulips are planted in spring.", "text/plain")
    for upload_id, reason in ((lost, "not there any more"), (damaged, "not what was uploaded any more")):
        status, problem = await bring(client, upload_id)
        assert (status, problem["errors"][0]["field"]) == (422, "upload_id")
        assert reason in problem["detail"]


async def test_while_storage_is_away_nothing_is_kept_and_the_request_is_to_be_repeated(
    client: Client, shelf: Shelf
) -> None:
    upload_id = await shelf.put(b"Tulips are planted in autumn.", "a.txt")
    shelf.is_away = True
    status, problem = await bring(client, upload_id)
    assert (status, problem["code"]) == (503, "unavailable")
    assert (await client.call("GET", "/v1/documents"))[1]["items"] == []
    shelf.is_away = False
    assert (await bring(client, upload_id))[0] == 202
