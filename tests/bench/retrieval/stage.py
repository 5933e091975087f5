"""What search is measured on: the real servers, a migrated database with the corpus, and the model."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy.engine import make_url

from libs.database import Database
from services.embedding.adapters import Gathering, MiniLm
from services.embedding.domain import content_hash
from services.embedding.usecases import Deps
from tests.bench.retrieval.tenants import Corpus, make_corpus
from tests.support.servers import Servers, running_servers
from tests.support.uploads import no_upload

THREADS = 2
"""As the service has on 4 cores."""


@dataclass(frozen=True)
class Stage:
    """The database, the model, and what is kept in the one by the other."""

    servers: Servers
    database: Database
    minilm: MiniLm
    corpus: Corpus

    @property
    def deps(self) -> Deps:
        """As the service composes them."""
        return Deps(
            database=self.database,
            embedder=Gathering(self.minilm),
            clock=lambda: datetime.now(UTC),
            exact_chunks=None,
            objects=self.servers.object_store(),
            find_upload=no_upload,
        )

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """Connect as the service does, to compare."""
        return await asyncpg.connect(
            self.servers.url("app", "embedding"), password=self.servers.secret("database_embedding_app")
        )


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Start and fill everything; takes about two minutes."""
    with running_servers() as servers, tempfile.TemporaryDirectory(prefix="antiphon-model-") as folder:
        minilm = await MiniLm.open(Path(folder), threads=THREADS)
        corpus = await make_corpus(minilm)
        await asyncio.to_thread(servers.migrate, "embedding")
        await fill(servers, corpus)
        database = servers.database("embedding")
        try:
            yield Stage(servers, database, minilm, corpus)
        finally:
            await database.close()
            await minilm.close()


async def fill(servers: Servers, corpus: Corpus) -> None:
    """Write the corpus as the administrator, who may copy, and build the large indexes at the end, which is faster."""
    url = make_url(servers.admin_url).set(database="antiphon_embedding").render_as_string(hide_password=False)
    admin = await asyncpg.connect(url, password=servers.secret("postgres_admin"))
    try:
        opened = await admin.fetchval("select open_vector_index($1, $2)", MiniLm.model_id, MiniLm.dimensions)
        await admin.execute("update vector_indexes set is_active = true, is_wanted = true, was_active = true")
        large = await admin.fetch(
            "select indexname, indexdef from pg_indexes where schemaname = 'public' and indexdef ~ 'hnsw|gin'"
        )
        for index in large:
            await admin.execute(f'drop index "{index["indexname"]}"')
        await admin.copy_records_to_table("documents", records=_documents(corpus), columns=_DOCUMENT)
        await admin.execute("create temporary table brought (like chunks including defaults)")
        await admin.execute("alter table brought add embedding text, drop words")
        await admin.copy_records_to_table("brought", records=_chunks(corpus), columns=_CHUNK)
        kept = ", ".join(name for name in _CHUNK if name != "embedding")
        searched = "id, document_id, org_id, source_type, metadata, created_at"
        await admin.execute(f"insert into chunks ({kept}) select {kept} from brought")  # noqa: S608 - constants
        await admin.execute(
            f"insert into vectors ({searched}, index_id, embedding) "  # noqa: S608 - constants
            f"select {searched}, {opened:d}, embedding::halfvec from brought"
        )
        await admin.execute("set maintenance_work_mem = '512MB'")
        for index in large:
            await admin.execute(index["indexdef"])
        await admin.execute("vacuum analyze")
    finally:
        await admin.close()


_DOCUMENT = ("id", "org_id", "source_type", "source_id", "title", "status", "content_hash", "revision")
_CHUNK = (
    "id",
    "document_id",
    "org_id",
    "source_type",
    "idx",
    "content",
    "content_hash",
    "embedding",
    "metadata",
)


def document_id(row: int) -> UUID:
    """Of the document whose first chunk is that row of the corpus."""
    return UUID(int=(0xD << 96) + row)


def _documents(corpus: Corpus) -> Iterator[tuple[object, ...]]:
    for tenant in corpus.tenants:
        for first in sorted({int(row) for row in corpus.documents[tenant.first : tenant.last]}):
            digest = content_hash(corpus.contents[first])
            yield document_id(first), tenant.org_id, "knowledge", str(first), "Title", "indexed", digest, 1


def _chunks(corpus: Corpus) -> Iterator[tuple[object, ...]]:
    for tenant in corpus.tenants:
        for row in range(tenant.first, tenant.last):
            content, first = corpus.contents[row], int(corpus.documents[row])
            metadata = {"start": 0, "end": len(content), "parity": str(row % 2), "hundredth": str(row % 100)}
            vector = "[" + ",".join(f"{number:.5g}" for number in corpus.vectors[row].tolist()) + "]"
            yield (
                UUID(int=(0xC << 96) + row),
                document_id(first),
                tenant.org_id,
                "knowledge",
                row - first,
                content,
                content_hash(content),
                vector,
                orjson.dumps(metadata).decode(),
            )
