"""An installation whose model is changed while people search, and another model to change to."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import numpy as np
from aiohttp import web
from sqlalchemy.engine import make_url

from libs.ids import new_id
from libs.web import Caller
from libs.web.identity import HEADER, sign
from services.embedding.adapters import MiniLm, Vectors
from tests.integration.embedding_service.test_process import ALONE, KEY, environment, is_ready, running
from tests.support.broker import Broker
from tests.support.polling import eventually
from tests.support.servers import Servers

TEXTS, SHORT = 280, 256
LONG_MODEL, SHORT_MODEL = MiniLm.model_id, "short"
QUERIES = ("an old lighthouse", "the price of apples", "how a machine is repaired", "winter in the mountains")
SUBJECTS = ("lighthouse", "orchard", "engine", "mountain", "harbour", "letter", "garden", "violin", "bridge", "market")
TOLERANCE = 4e-3


def spoken(number: int) -> str:
    subject, other = SUBJECTS[number % 10], SUBJECTS[number // 10 % 10]
    return f"Number {number} tells of the {subject} and of the {other}, and of what became of them after {number} days."


def shortened(vectors: Vectors) -> Vectors:
    """Another model: other dimensions, other similarities."""
    short = vectors[:, :SHORT] + 0.02
    made: Vectors = (short / np.linalg.norm(short, axis=1, keepdims=True)).astype(np.float32)
    return made


@dataclass
class Provider:
    """A server that speaks OpenAI's embeddings API with the shorter model."""

    minilm: MiniLm
    url: str = ""
    asked: list[str] = field(default_factory=list)
    is_refusing: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.is_refusing:
            return web.json_response({"error": {"message": "Overloaded."}}, status=503, headers={"Retry-After": "0.1"})
        self.asked += body["input"]
        vectors = shortened(await self.minilm.embed(body["input"]))
        data = [{"index": index, "embedding": row.tolist()} for index, row in enumerate(vectors)]
        return web.json_response({"data": data, "model": body["model"]})


@asynccontextmanager
async def providing(minilm: MiniLm) -> AsyncIterator[Provider]:
    provider = Provider(minilm)
    app = web.Application()
    app.router.add_post("/v1/embeddings", provider.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    provider.url = f"http://{host}:{port}/v1"
    try:
        yield provider
    finally:
        await runner.cleanup()


@dataclass
class Searching:
    """Searches again and again, and holds every answer to one model."""

    org_id: UUID
    known: Mapping[str, int]
    """The row of each source."""
    cosines: Sequence[Mapping[str, Any]]
    """Of each query, by model, the cosines of the rows. Any: arrays."""
    answers: dict[str, int] = field(default_factory=dict)

    async def once(self, http: aiohttp.ClientSession, number: int) -> str:
        query = QUERIES[number % len(QUERIES)]
        body = {"query": query, "limit": 20, "mode": ("vector", "hybrid")[number % 2]}
        sent = {HEADER: sign(Caller(org_id=self.org_id, key_id=new_id()), "embedding", KEY)}
        async with http.post("/v1/search", json=body, headers=sent) as response:
            told = await response.json(content_type=None)
            assert response.status == 200, told
        items = told["items"]
        assert len(items) == 20
        rows = [self.known[item["source_id"]] for item in items]
        said = np.array([item["similarity"] for item in items])
        fits = [
            model
            for model, cosines in self.cosines[number % len(QUERIES)].items()
            if np.abs(cosines[rows] - said).max() < TOLERANCE
        ]
        assert len(fits) == 1, (query, said, rows)
        self.answers[fits[0]] = self.answers.get(fits[0], 0) + 1
        return fits[0]

    @asynccontextmanager
    async def going_on(self, http: aiohttp.ClientSession) -> AsyncIterator[None]:
        """Search without a pause for the time of the block; fails where a search does."""
        done = asyncio.Event()
        task = asyncio.create_task(self._until(done, http))
        try:
            yield
        finally:
            done.set()
            number = await task
        assert number > 0

    async def _until(self, done: asyncio.Event, http: aiohttp.ClientSession) -> int:
        number = 0
        while not done.is_set():
            await self.once(http, number)
            number += 1
            await asyncio.sleep(0.01)  # what is searched beside needs the cores, too
        return number


async def cosines_of(minilm: MiniLm, texts: Sequence[str]) -> list[dict[str, Any]]:
    long, queries = await minilm.embed(texts), await minilm.embed(QUERIES)
    short, short_queries = shortened(long), shortened(queries)
    return [
        {"long": long @ query, "short": short @ short_query}
        for query, short_query in zip(queries, short_queries, strict=True)
    ]


@asynccontextmanager
async def looking(servers: Servers) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    url = make_url(servers.admin_url).set(database="antiphon_embedding").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url, password=servers.secret("postgres_admin"))
    try:
        yield connection
    finally:
        await connection.close()


@dataclass
class Scene:
    """An installation whose model is changed."""

    servers: Servers
    admin: asyncpg.Connection[asyncpg.Record]
    provider: Provider
    broker: Broker
    searching: Searching
    events: Sequence[Any]  # Any: messages of protobuf
    model_dir: Path
    folder: Path

    @asynccontextmanager
    async def process(
        self, name: str, **settings: str
    ) -> AsyncIterator[tuple[subprocess.Popen[bytes], aiohttp.ClientSession]]:
        """Run the service with these settings until it is ready, and for the time of the block."""
        own = self.folder / name
        await asyncio.to_thread(own.mkdir)
        variables = environment(self.servers, self.model_dir, own) | {"ANTIPHON_BACKGROUND_NICENESS": "0"}
        with running(ALONE, variables | settings, own / "log") as (process, url):
            async with aiohttp.ClientSession(url) as http:
                await eventually(lambda: is_ready(http), within=30, what=f"readiness; see {own}")
                yield process, http
        assert '"level": "error"' not in await asyncio.to_thread((own / "log").read_text)

    async def have(self, model: str, at_least: int) -> bool:
        counted = "select count(*) from vectors join vector_indexes i on i.id = index_id where i.model_id = $1"
        return int(await self.admin.fetchval(counted, model)) >= at_least

    async def is_active(self, model: str) -> bool:
        return bool(await self.admin.fetchval("select model_id = $1 from vector_indexes where is_active", model))

    async def is_dropped(self, model: str, index: int) -> bool:
        known = await self.admin.fetchval("select count(*) from vector_indexes where model_id = $1", model)
        return not known and bool(await self.admin.fetchval("select to_regclass($1) is null", f"vectors_{index}"))

    async def publish(self, first: int, last: int, into: str) -> None:
        await asyncio.gather(*(self.broker.publish(event) for event in self.events[first:last]))
        await eventually(lambda: self.have(into, last), within=60, what=f"what is new in the index of {into}")

    @property
    def elsewhere(self) -> dict[str, str]:
        """The settings of the other model."""
        return {
            "ANTIPHON_EMBEDDING_PROVIDER": "openai",
            "ANTIPHON_EMBEDDING_URL": self.provider.url,
            "ANTIPHON_EMBEDDING_MODEL": SHORT_MODEL,
            "ANTIPHON_EMBEDDING_DIMENSIONS": str(SHORT),
        }
