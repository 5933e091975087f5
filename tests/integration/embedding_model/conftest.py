from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.embedding.adapters import Embedder, MiniLm
from services.embedding.adapters.minilm_model import prepare
from services.embedding.adapters.openai import OpenAiEmbeddings, Patience
from tests.integration.embedding_model.embeddings_server import EmbeddingsServer


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    prepare(folder)
    return folder


@pytest_asyncio.fixture
async def minilm(model_dir: Path) -> AsyncIterator[MiniLm]:
    model = await MiniLm.open(model_dir)
    yield model
    await model.close()


@pytest_asyncio.fixture
async def server(minilm: MiniLm, tmp_path: Path) -> AsyncIterator[EmbeddingsServer]:
    async with EmbeddingsServer(minilm, key="secret-key") as running:
        (tmp_path / "key").write_text("secret-key\n")
        yield running


@pytest_asyncio.fixture
async def provider(server: EmbeddingsServer, tmp_path: Path) -> AsyncIterator[OpenAiEmbeddings]:
    client = await OpenAiEmbeddings.open(
        server.base_url,
        "served-model",
        384,
        key_file=tmp_path / "key",
        patience=Patience(timeout=20, attempts=3, backoff=0.01, longest_wait=5, texts=8, requests=2),
    )
    yield client
    await client.close()


@pytest.fixture(params=["minilm", "provider"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    chosen: Embedder = request.getfixturevalue(request.param)
    return chosen
