from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest

from services.embedding.adapters import MiniLm
from services.embedding.adapters.openai import OpenAiEmbeddings, Patience
from services.embedding.domain import EmbeddingRefused, EmbeddingUnavailable
from tests.integration.embedding_model.embeddings_server import Canned, EmbeddingsServer


@asynccontextmanager
async def _client(
    url: str, *, dimensions: int = 384, key: Path | None = None, shorten: bool = False, patience: Patience | None = None
) -> AsyncIterator[OpenAiEmbeddings]:
    client = await OpenAiEmbeddings.open(url, "m", dimensions, key_file=key, shorten=shorten, patience=patience)
    try:
        yield client
    finally:
        await client.close()


BUSY = Canned(429, {"error": {"message": "Rate limit reached."}})


def _row(embedding: object, index: int = 0) -> dict[str, object]:
    return {"index": index, "embedding": embedding}


async def test_its_vectors_are_the_servers(provider: OpenAiEmbeddings, minilm: MiniLm) -> None:
    texts = [f"text number {index}" for index in range(20)]
    assert np.abs(await provider.embed(texts) - await minilm.embed(texts)).max() <= 1e-5


async def test_base64_is_read_too(provider: OpenAiEmbeddings, server: EmbeddingsServer, minilm: MiniLm) -> None:
    server.encoding = "base64"
    assert np.abs(await provider.embed(["text"]) - await minilm.embed(["text"])).max() <= 1e-5


async def test_texts_go_in_batches_and_some_at_once(provider: OpenAiEmbeddings, server: EmbeddingsServer) -> None:
    server.hold = asyncio.Event()
    work = asyncio.create_task(provider.embed(["text"] * 33))
    async with asyncio.timeout(10):
        await server.shared.wait()
    server.hold.set()
    await work
    assert sorted(len(request["input"]) for request in server.requests) == [1, 8, 8, 8, 8]
    assert server.most_at_once == 2


async def test_the_request_is_what_any_server_understands(provider: OpenAiEmbeddings, server: EmbeddingsServer) -> None:
    await provider.embed(["text", ""])
    assert server.requests == [{"model": "served-model", "input": ["text", " "], "encoding_format": "float"}]


async def test_shorter_vectors_are_asked_for_by_choice(server: EmbeddingsServer, tmp_path: Path) -> None:
    async with _client(server.base_url, key=tmp_path / "key", shorten=True) as client:
        await client.embed(["text"])
    assert server.requests[0]["dimensions"] == 384


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_server_is_asked_again(provider: OpenAiEmbeddings, server: EmbeddingsServer, status: int) -> None:
    server.next_answers.extend([Canned(status), Canned(status)])
    assert (await provider.embed(["text"])).shape == (1, 384)
    assert len(server.requests) == 3


async def test_it_gives_up_in_the_end(provider: OpenAiEmbeddings, server: EmbeddingsServer) -> None:
    server.next_answers.extend([BUSY] * 5)
    with pytest.raises(EmbeddingUnavailable, match=r"429: Rate limit reached."):
        await provider.embed(["text"])
    assert len(server.requests) == 3


def _in_two_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("moment", [lambda: "1", _in_two_seconds])
async def test_it_waits_as_long_as_it_is_told(
    provider: OpenAiEmbeddings, server: EmbeddingsServer, moment: Callable[[], str]
) -> None:
    server.next_answers.append(Canned(429, headers={"Retry-After": moment()}))
    await provider.embed(["text"])
    assert server.times[1] - server.times[0] >= 0.95


async def test_it_does_not_wait_for_ages(provider: OpenAiEmbeddings, server: EmbeddingsServer) -> None:
    server.next_answers.append(Canned(429, headers={"Retry-After": "60"}))
    with pytest.raises(EmbeddingUnavailable) as unavailable:
        await provider.embed(["text"])
    assert unavailable.value.retry_after == 60
    assert len(server.requests) == 1


@pytest.mark.parametrize("value", ["soon", "-1", "nan", ""])
async def test_a_retry_after_without_sense_is_no_obstacle(
    provider: OpenAiEmbeddings, server: EmbeddingsServer, value: str
) -> None:
    server.next_answers.append(Canned(503, headers={"Retry-After": value}))
    assert (await provider.embed(["text"])).shape == (1, 384)


async def test_a_wrong_key_is_not_tried_again(server: EmbeddingsServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("another-key")
    async with _client(server.base_url, key=tmp_path / "key") as client:
        with pytest.raises(EmbeddingRefused, match=r"401: Incorrect API key provided. Check the API key") as refused:
            await client.embed(["text"])
    assert len(server.requests) == 1
    assert "another-key" not in str(refused.value)


@pytest.mark.parametrize("content", ["", "\n", "two keys"])
async def test_a_key_file_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(EmbeddingRefused, match="must hold the API key"):
        await OpenAiEmbeddings.open("http://127.0.0.1/v1", "m", 384, key_file=tmp_path / "key")


async def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingRefused, match="cannot be read"):
        await OpenAiEmbeddings.open("http://127.0.0.1/v1", "m", 384, key_file=tmp_path / "missing")


async def test_other_dimensions_are_refused(server: EmbeddingsServer, tmp_path: Path) -> None:
    async with _client(server.base_url, dimensions=1536, key=tmp_path / "key") as client:
        with pytest.raises(EmbeddingRefused, match="gives vectors of 384 dimensions, but 1536 are configured"):
            await client.embed(["text"])


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {"data": None},
        {"data": []},
        {"data": [{"embedding": [0.1] * 384}]},
        {"data": [_row([0.1] * 384, index=1)]},
        {"data": [_row([0.1] * 384), _row([0.1] * 384, index=1)]},
        {"data": [_row(None)]},
        {"data": [_row(0.5)]},
        {"data": [_row([])]},
        {"data": [_row("not base64!")]},
        {"data": [_row("AAAA")]},
        {"data": [_row([[0.1] * 384])]},
        {"data": [_row([0.0] * 384)]},
        {"data": [_row(["x"] * 384)]},
    ],
)
async def test_an_answer_without_sense_is_refused(
    provider: OpenAiEmbeddings, server: EmbeddingsServer, body: object
) -> None:
    server.next_answers.append(Canned(200, body))
    with pytest.raises(EmbeddingRefused):
        await provider.embed(["text"])
    assert len(server.requests) == 1


async def test_a_redirect_does_not_carry_the_key_away(provider: OpenAiEmbeddings, server: EmbeddingsServer) -> None:
    server.next_answers.append(Canned(307, headers={"Location": server.base_url + "/embeddings"}))
    with pytest.raises(EmbeddingRefused, match="307"):
        await provider.embed(["text"])
    assert len(server.requests) == 1


async def test_what_cannot_be_mended_outweighs_what_can(provider: OpenAiEmbeddings, server: EmbeddingsServer) -> None:
    server.next_answers.extend([Canned(404, {"error": {"message": "No such model."}}), *[BUSY] * 10])
    with pytest.raises(EmbeddingRefused, match=r"No such model."):
        await provider.embed(["text"] * 30)


async def test_text_beyond_the_window_has_no_influence(
    provider: OpenAiEmbeddings, server: EmbeddingsServer, minilm: MiniLm
) -> None:
    """Neither on its own vector nor on those that are asked for with it."""
    server.window = 300
    long = "What is said of the lighthouse and its keeper. " * 20
    vectors = await provider.embed(["first", long, "last"])
    expected = await minilm.embed(["first", long[: len(long) // 4], "last"])
    assert np.abs(vectors - expected).max() < 1e-5


async def test_what_is_refused_for_another_reason_is_not_asked_for_endlessly(
    provider: OpenAiEmbeddings, server: EmbeddingsServer
) -> None:
    server.next_answers.extend([Canned(400, {"error": {"message": "No such parameter."}})] * 100)
    with pytest.raises(EmbeddingRefused, match="No such parameter"):
        await provider.embed(["a long text " * 80] * 4)
    assert len(server.requests) <= 8


async def test_a_server_that_does_not_answer_is_given_up(server: EmbeddingsServer, tmp_path: Path) -> None:
    server.hold = asyncio.Event()
    patience = Patience(timeout=0.2, attempts=2, backoff=0.01)
    async with _client(server.base_url, key=tmp_path / "key", patience=patience) as client:
        with pytest.raises(EmbeddingUnavailable, match=r"did not answer within 0.2 s"):
            await client.embed(["text"])
    server.hold.set()
    assert len(server.requests) == 2


async def test_a_server_that_is_not_there_is_given_up() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and never listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        async with _client(url, patience=Patience(attempts=2, backoff=0.01)) as client:
            with pytest.raises(EmbeddingUnavailable, match="could not be reached"):
                await client.embed(["text"])


@pytest.mark.parametrize("url", ["not an address", "ftp://127.0.0.1/v1", "http:///v1", "http://[::1/v1", ""])
async def test_an_address_without_sense_is_refused(url: str) -> None:
    with pytest.raises(EmbeddingRefused, match="is not the address"):
        await OpenAiEmbeddings.open(url, "m", 384)
