"""How long a search takes, over HTTP and below it, against one hand-written statement by the bare driver."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp
import asyncpg

from libs.ids import new_id
from libs.web import Caller, IdentityVerifier, create_app
from libs.web.identity import HEADER, LIFETIME_SECONDS, sign
from services.embedding.api import PROBLEMS, router
from services.embedding.domain import LEAST_DEPTH, SearchMode, Weighed, read_words, weigh
from services.embedding.domain.reach import ALWAYS_COMPARED
from services.embedding.store.nearest import SETTINGS
from services.embedding.store.scope import Scope
from services.embedding.store.tables import vector_text
from services.embedding.store.words import RANKED_MOST, Vocabularies
from services.embedding.usecases import Wanted, search
from tests.bench.harness import Row, percentile, row
from tests.bench.retrieval.recall import asked
from tests.bench.retrieval.stage import Stage
from tests.bench.retrieval.tenants import SIZES, Tenant
from tests.support.http import serving

ROUNDS, SEARCHES, WARM_UP = 4, 40, 40
"""Of each class; the ways take turns within a round, so that what else the machine does meets all of them."""
LIMIT = 10
KEY = b"b" * 32
Way = Callable[[Tenant, int], Awaitable[None]]

_BARE = """
with near as materialized (
    select id, document_id, embedding::halfvec(384) <=> $1::halfvec(384) as distance from vectors
    where index_id = 1 and (org_id = $2 or org_id is null) order by {order} limit {candidates}
), nearest as (
    select id, document_id, row_number() over (order by distance) as place from (
        select distinct on (document_id) * from near order by document_id, distance) once
    order by distance limit {depth}
), worded as (
    select id, document_id, row_number() over (order by score desc) as place from (
        select distinct on (document_id) * from chunks_by_words(
            $3, $4, $5, '{{}}', '{{}}', $2, null, null, null, null, null, $6, {enough}, {most})
        order by document_id, score desc) once
    order by score desc limit {depth}
), fused as (
    select coalesce(nearest.id, worded.id) as id, coalesce(1.0 / (60 + nearest.place), 0)
        + coalesce(1.0 / (60 + worded.place), 0) as score
    from nearest full join worded using (document_id) order by score desc limit {limit}
)
select documents.id, documents.source_type, documents.source_id, documents.title, chunks.content, fused.score,
    chunks.metadata, 1 - (vectors.embedding <=> $1::halfvec) as similarity
from fused join chunks on chunks.id = fused.id join documents on documents.id = chunks.document_id
join vectors on vectors.id = fused.id and vectors.index_id = 1
order by fused.score desc
"""
"""The same hybrid search as one statement, with vector, words and weights in hand: {order} compares all or asks the
index."""


_DISTANCE = "(embedding::halfvec(384) <=> $1::halfvec(384))"


async def measure(stage: Stage) -> list[Row]:
    """Ask from each class in turn, with questions whose vectors are known and with new ones."""
    rows: list[Row] = []
    everything: list[float] = []
    async with _http(stage) as over_http:
        bare = await stage.connect()
        deps = stage.deps
        words: dict[tuple[UUID, int], Weighed] = {}

        async def by_statement(tenant: Tenant, question: int) -> None:
            await _ask_bare(bare, stage, tenant, question, words[tenant.org_id, question])

        async def by_use_case(tenant: Tenant, question: int) -> None:
            text = stage.corpus.questions[question]
            await search(deps, Wanted(text, SearchMode.HYBRID, Scope(tenant.org_id, None)), LIMIT)

        async def new_over_http(tenant: Tenant, question: int) -> None:
            await over_http(tenant.org_id, _new(stage, question))

        async def known_over_http(tenant: Tenant, question: int) -> None:
            await over_http(tenant.org_id, stage.corpus.questions[question])

        async def vector_alone(_tenant: Tenant, question: int) -> None:
            await deps.questions.embed(deps.embedder, _new(stage, question))

        ways: dict[str, Way] = {
            "bare": by_statement,
            "use case": by_use_case,
            "http": known_over_http,
            "new": new_over_http,
            "vector": vector_alone,
        }
        for size_class in SIZES:
            for tenant, question in asked(stage, size_class, SEARCHES):
                words[tenant.org_id, question] = await _weighed(stage, tenant, question)
            times = await _take_turns(stage, size_class, ways)
            rows += _told(f"organisation with {size_class}", times)
            everything += [one for rounds in times["new"] for one in rounds]
        await bare.close()
    rows.append(row("all classes, over HTTP, new questions, p95", [percentile(everything, 0.95)], "ms", at_most=30))
    return rows


def _told(name: str, times: dict[str, list[list[float]]]) -> list[Row]:
    """What is said of a class; the parts of a new question's time are what each takes alone, at the same percentile."""
    p50 = {way: [percentile(one, 0.5) for one in rounds] for way, rounds in times.items()}
    p95 = {way: [percentile(one, 0.95) for one in rounds] for way, rounds in times.items()}
    rows = [
        row(f"{name}: bare statement, p50", p50["bare"], "ms"),
        row("  below HTTP, p50", p50["use case"], "ms", baseline=p50["bare"], at_most=2),
        row("  over HTTP, p50", p50["http"], "ms", baseline=p50["bare"], at_most=2),
    ]
    for percent, of, most in (("p50", p50, None), ("p95", p95, 30)):
        rows.append(row(f"  over HTTP, a new question, {percent}", of["new"], "ms", at_most=most))
        rows.append(row(f"    of it the question's vector, alone {percent}", of["vector"], "ms"))
        rows.append(row(f"    the statement, alone {percent}", of["bare"], "ms"))
        rest = [
            all_ - vector - statement
            for all_, vector, statement in zip(of["new"], of["vector"], of["bare"], strict=True)
        ]
        rows.append(row("    the rest (less than 0: done side by side)", rest, "ms"))
    return rows


def _new(stage: Stage, question: int) -> str:
    return f"{stage.corpus.questions[question]} {new_id().hex[-6:]}"


async def _take_turns(stage: Stage, size_class: str, ways: dict[str, Way]) -> dict[str, list[list[float]]]:
    times: dict[str, list[list[float]]] = {name: [] for name in ways}
    chosen = list(asked(stage, size_class, SEARCHES))
    for way in ways.values():
        for tenant, question in chosen[:WARM_UP]:
            await way(tenant, question)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append([await _timed(way, tenant, question) for tenant, question in chosen])
    return times


async def _timed(way: Way, tenant: Tenant, question: int) -> float:
    begun = time.perf_counter()
    await way(tenant, question)
    return 1000 * (time.perf_counter() - begun)


async def _weighed(stage: Stage, tenant: Tenant, question: int) -> Weighed:
    async with stage.database.transaction(tenant.org_id) as session:
        vocabulary = await Vocabularies().look(session, tenant.org_id)
    return weigh(read_words(stage.corpus.questions[question]), vocabulary, tenant.last - tenant.first, RANKED_MOST)


async def _ask_bare(
    connection: asyncpg.Connection[asyncpg.Record], stage: Stage, tenant: Tenant, question: int, words: Weighed
) -> Sequence[asyncpg.Record]:
    by_index, is_large = tenant.size_class == "90%", tenant.last - tenant.first > ALWAYS_COMPARED
    statement = _BARE.format(
        order=_DISTANCE if by_index else f"{_DISTANCE} + 0",
        candidates=2 * LEAST_DEPTH,
        depth=LEAST_DEPTH,
        limit=LIMIT,
        enough=2 * LEAST_DEPTH,
        most=RANKED_MOST,
    )
    settings = f"{SETTINGS}; set local enable_sort = {'off' if by_index else 'on'}"
    await connection.execute(f"begin; set local app.orgs = '{{{tenant.org_id}}}'; {settings}")
    rows = await connection.fetch(
        statement,
        vector_text(stage.corpus.queries[question]),
        tenant.org_id,
        stage.corpus.questions[question],
        list(words.words),
        list(words.weights),
        [f"{{{','.join(map(str, places))}}}" for places in words.combinations] if is_large else None,
    )
    await connection.execute("commit")
    return rows


@asynccontextmanager
async def _http(stage: Stage) -> AsyncIterator[Callable[[UUID, str], Awaitable[None]]]:
    async def readiness() -> dict[str, bool]:
        return {"started": True}

    app = create_app(
        "embedding",
        router,
        identity=IdentityVerifier("embedding", KEY),
        problems=PROBLEMS,
        readiness=readiness,
        deps=stage.deps,
    )
    signed: dict[UUID, tuple[float, str]] = {}

    def identity(org_id: UUID) -> str:
        """As the gateway signs it, who does so once for all that it asks in a while."""
        until, token = signed.get(org_id, (0.0, ""))
        if time.monotonic() >= until:
            token = sign(Caller(org_id=org_id, key_id=new_id()), "embedding", KEY)
            signed[org_id] = time.monotonic() + LIFETIME_SECONDS / 2, token
        return token

    async with serving(app) as url, aiohttp.ClientSession(url) as session:

        async def ask(org_id: UUID, question: str) -> None:
            headers = {HEADER: identity(org_id)}
            body = {"query": question, "limit": LIMIT}
            async with session.post("/v1/search", json=body, headers=headers) as response:
                assert response.status == 200, await response.text()
                await response.read()

        yield ask
