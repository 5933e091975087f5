"""How fast texts become findable against the bare model, and whether memory grows by it."""

from __future__ import annotations

import asyncio
import time

import psutil

from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentSubmitted
from libs.ids import new_id
from libs.messaging import Delivery
from libs.web import Caller
from services.embedding.domain import SourceType, cut
from services.embedding.usecases import Deps, index_document, submit_document
from tests.bench.harness import Row, row
from tests.bench.retrieval.stage import Stage
from tests.support.prose import prose

ROUNDS, WARM_UP = 6, 1
DOCUMENTS, CHARACTERS = 6, 8_000
"""Of each round; ten chunks a document, no two texts alike."""
TOGETHER = 4
"""As many documents at once as the consumer indexes."""


async def measure(stage: Stage) -> list[Row]:
    """Let the bare model and the service take turns at equal texts, beside the 100,000 chunks that there are."""
    deps, caller = stage.deps, Caller(org_id=new_id(), key_id=new_id())
    bare, indexed, memory = [], [], []
    for number in range(WARM_UP + ROUNDS):
        pieces = [piece.content for _ in range(DOCUMENTS) for piece in cut(prose(CHARACTERS))]
        begun = time.perf_counter()
        await stage.minilm.embed(pieces)
        alone = len(pieces) / (time.perf_counter() - begun)
        rate = await _index(deps, caller)
        if number >= WARM_UP:
            bare.append(alone)
            indexed.append(rate)
            memory.append(psutil.Process().memory_info().rss / 2**20)
    half = ROUNDS // 2
    return [
        row("the bare model", bare, "chunk/s"),
        row("indexing documents", indexed, "chunk/s", baseline=bare, at_least=0.85),
        row(
            "memory while indexing, late against early",
            memory[half:],
            "MB",
            baseline=memory[:half],
            at_most=1.05,
        ),
    ]


async def _index(deps: Deps, caller: Caller) -> float:
    """Bring documents, index them, and return the chunks a second of the latter."""
    deliveries = []
    count = 0
    for _ in range(DOCUMENTS):
        text = prose(CHARACTERS)
        count += len(cut(text))
        document, _ = await submit_document(
            deps,
            caller,
            source_type=SourceType.KNOWLEDGE,
            source_id=None,
            title="Prose",
            content=text,
            metadata={},
        )
        submitted = DocumentSubmitted(
            document_id=str(document.id),
            org_id=str(caller.org_id),
            source_type=document.source_type,
            source_id=document.source_id,
            revision=document.revision,
        )
        deliveries.append(Delivery(submitted, str(new_id()), 1))
    places = asyncio.Semaphore(TOGETHER)

    async def one(delivery: Delivery[DocumentSubmitted]) -> None:
        async with places:
            await index_document(deps, delivery)

    begun = time.perf_counter()
    await asyncio.gather(*(one(delivery) for delivery in deliveries))
    return count / (time.perf_counter() - begun)
