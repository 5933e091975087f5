"""Documents that are brought as files: known by their bytes, found with their pages, refused with a reason."""

from __future__ import annotations

import io
import json
from typing import Any

import aiohttp
import pytest

from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentFailed, DocumentIndexed
from libs.ids import new_id
from libs.web import Caller
from libs.web.identity import HEADER, sign
from services.embedding.domain.files import FILE_MAX_BYTES
from services.embedding.usecases import Deps
from tests.integration.embedding_service.conftest import KEY, Client, Ledger
from tests.integration.embedding_service.test_knowledge import index_all
from tests.support.pdfs import pdf

BOOK = [
    "Your money will be returned to your bank account within fourteen days.",
    "Tulips are planted in autumn, as deep as three times their own height.",
]


async def send(client: Client, content: bytes, name: str = "a", **fields: str) -> tuple[int, dict[str, Any]]:
    form = aiohttp.FormData(quote_fields=False)
    for field, value in fields.items():
        form.add_field(field, value)
    form.add_field("file", io.BytesIO(content), filename=name, content_type="image/png")
    sent = {HEADER: sign(Caller(org_id=client.org_id, key_id=new_id()), "embedding", KEY)}
    async with client.session.post("/v1/documents", data=form, headers=sent) as response:
        return response.status, await response.json(content_type=None)


async def get(client: Client, document: dict[str, Any]) -> dict[str, Any]:
    return (await client.call("GET", f"/v1/documents/{document['id']}"))[1]


async def test_a_pdf_is_found_by_its_text_and_hits_tell_the_page(client: Client, deps: Deps, ledger: Ledger) -> None:
    content = pdf([*BOOK[:1], *(["Nothing is said here. " * 12] * 5), *BOOK[1:]])
    status, brought = await send(client, content, "/Library/handbook.pdf", metadata=json.dumps({"shop": "north"}))
    assert (status, brought["status"], brought["title"]) == (202, "pending", "handbook.pdf")
    assert brought["source_type"] == "knowledge_file"
    assert (await send(client, content, "handbook.pdf", metadata='{"shop": "north"}'))[0] == 200
    await index_all(deps, ledger)
    assert (await get(client, brought))["status"] == "indexed"
    (refund,) = await client.search("money", mode="text")
    assert (refund["metadata"], refund["source_type"]) == ({"shop": "north", "page": "1"}, "knowledge_file")
    (tulips,) = await client.search("tulips", mode="text")
    assert int(tulips["metadata"]["page"]) > 1
    assert await client.search("money", metadata={"page": "7"}, mode="text") == []
    assert len(await ledger.events(DocumentIndexed)) == 1


async def test_what_a_pdf_lacks_is_told(client: Client, deps: Deps, ledger: Ledger) -> None:
    _, brought = await send(client, pdf([""]), "scan.pdf")
    await index_all(deps, ledger)
    failed = await get(client, brought)
    assert failed["status"] == "failed"
    assert "recognise its text (OCR)" in failed["error"]
    (event,) = await ledger.events(DocumentFailed)
    assert event.reason == failed["error"]
    assert await ledger.rows("select 1 from document_texts") == []


WEBVTT = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Iris>The lighthouse is dark.\n"
SRT = "1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>The lighthouse</i> is dark.\r\n"
HTML = "<!-- kept --><!DOCTYPE html><html><head><title>x</title></head><p>The lighthouse<br>is dark.</p>"
KINDS = {
    "webvtt": (WEBVTT.encode(), "The lighthouse is dark."),
    "srt": (SRT.encode("utf-8-sig"), "The lighthouse is dark."),
    "html": (HTML.encode("utf-16"), "The lighthouse\nis dark."),
    "markdown": (b"# The *lighthouse*\n\nis <dark>", "# The *lighthouse*\n\nis <dark>"),
}


@pytest.mark.parametrize(("content", "text"), KINDS.values(), ids=KINDS)
async def test_a_text_is_known_by_its_beginning(
    client: Client, deps: Deps, ledger: Ledger, content: bytes, text: str
) -> None:
    """Not by its name, and not by its type: all come as PNG images."""
    assert (await send(client, content, "picture.png"))[0] == 202
    await index_all(deps, ledger)
    (hit,) = await client.search("lighthouse")
    assert (hit["text"], hit["title"]) == (text, "picture.png")


async def test_a_format_that_is_named_counts(client: Client, deps: Deps, ledger: Ledger) -> None:
    assert (await send(client, HTML.encode(), "", format="markdown", title="Source"))[0] == 202
    await index_all(deps, ledger)
    (hit,) = await client.search("lighthouse")
    assert (hit["text"], hit["title"]) == (HTML, "Source")


WRONG = {
    "neither": (b"\x89PNG\r\n\x1a\n\x00\xff", {}, "file", "neither a PDF nor text in UTF-8 or UTF-16"),
    "nul": (b"a\0b", {}, "file", "NUL"),
    "blank": (b" \n", {}, "file", "nothing but white space"),
    "empty": (b"", {}, "file", "is missing, or has no byte"),
    "long": (b"x" * 1_000_001, {}, "file", "more than 1000000 characters"),
    "no json": (b"text", {"metadata": "north"}, "metadata", "JSON object"),
    "no object": (b"text", {"metadata": "[1]"}, "metadata", "dictionary"),
    "a page": (pdf(BOOK), {"metadata": '{"page": "3"}'}, "metadata", "kept of every passage"),
    "unknown field": (b"text", {"colour": "blue"}, "colour", "not permitted"),
    "voice": (b"text", {"source_type": "voice"}, "source_type", "should be"),
}


@pytest.mark.parametrize(("content", "fields", "field", "reason"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_named(
    client: Client, content: bytes, fields: dict[str, str], field: str, reason: str
) -> None:
    status, problem = await send(client, content, **fields)
    assert status == 422
    (error,) = problem["errors"]
    assert error["field"] == field
    assert reason in error["message"]


async def test_a_file_has_a_largest_size(client: Client) -> None:
    status, problem = await send(client, bytes(FILE_MAX_BYTES + 1))
    assert (status, problem["code"]) == (413, "file_too_large")


async def test_json_that_is_none_is_refused(client: Client) -> None:
    sent = {HEADER: sign(Caller(org_id=client.org_id, key_id=new_id()), "embedding", KEY)}
    for body in (b"{", b"", b"[]", b'{"text": "\\ud800"}', b"\xff"):
        async with client.session.post("/v1/documents", data=body, headers=sent) as response:
            assert response.status == 422, body
            assert (await response.json(content_type=None))["errors"]
