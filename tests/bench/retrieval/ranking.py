"""How well the modes rank a labelled set: nDCG@10, hybrid against each single one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from libs.ids import new_id
from services.embedding.domain import Piece, SearchMode, Source, SourceType
from services.embedding.store import documents
from services.embedding.store.indexes import WRITING
from services.embedding.store.scope import Scope
from services.embedding.usecases import Wanted, search
from tests.bench.harness import Row, row
from tests.bench.retrieval.stage import Stage

LABELLED = Path(__file__).parent / "labelled"
DEPTH = 10
KINDS = ("meaning", "words", "mixed")


@dataclass(frozen=True)
class Query:
    """What is asked, how it is meant, and how well each passage answers it, 1-3; those not named do not."""

    kind: str
    text: str
    grades: Mapping[str, int]


def read_queries() -> tuple[list[Query], list[Query]]:
    """Return the half to choose by and the half to report."""
    lines = (LABELLED / "queries.tsv").read_text().splitlines()
    queries = []
    for line in lines:
        kind, text, graded = line.split("\t")
        pairs = (one.split("=") for one in graded.split())
        queries.append(Query(kind, text, {name: int(grade) for name, grade in pairs}))
    return queries[::2], queries[1::2]


def ndcg(found: Sequence[str], grades: Mapping[str, int]) -> float:
    """Normalized discounted cumulative gain of the first DEPTH, with the gain 2^grade - 1."""

    def gain(order: Sequence[int]) -> float:
        return sum(float(2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(order[:DEPTH]))

    ideal = gain(sorted(grades.values(), reverse=True))
    return gain([grades.get(name, 0) for name in found]) / ideal


async def measure(stage: Stage) -> list[Row]:
    """Index the passages for an organisation of their own and ask both halves; only the second is judged."""
    org_id = new_id()
    lines = [line.split("\t") for line in (LABELLED / "passages.tsv").read_text().splitlines()]
    vectors = await stage.minilm.embed([text for _, text in lines])
    sources = [Source(org_id, SourceType.KNOWLEDGE, name, 1, name, text, {}) for name, text in lines]
    async with stage.database.transaction(org_id, holding=WRITING) as session:
        saved = await documents.save_documents(session, sources)
        new = [
            documents.NewChunks(
                saved[source.key][0],
                source,
                [Piece(0, source.text, 0, len(source.text))],
                {1: vectors[number : number + 1]},
            )
            for number, source in enumerate(sources)
        ]
        await documents.insert_chunks(session, new)
    chosen_by, reported = read_queries()
    rows = []
    for name, queries, is_judged in (("dev half", chosen_by, False), ("other half", reported, True)):
        scores = {mode: await _scores(stage, Scope(org_id, None), queries, mode) for mode in SearchMode}
        for mode in (SearchMode.VECTOR, SearchMode.TEXT):
            rows.append(row(f"nDCG@{DEPTH} {name}: {mode}", [_mean(scores[mode])], ""))
            against = [_mean(scores[mode])]
            rows.append(
                row(
                    f"nDCG@{DEPTH} {name}: hybrid against {mode}",
                    [_mean(scores[SearchMode.HYBRID])],
                    "",
                    baseline=against,
                    at_least=1.0001 if is_judged else None,
                )
            )
        rows += [
            row(f"  {kind}: {mode}", [_mean(_of_kind(queries, scores[mode], kind))], "")
            for kind in KINDS
            for mode in SearchMode
        ]
    return rows


def _of_kind(queries: Sequence[Query], scores: Sequence[float], kind: str) -> list[float]:
    return [score for query, score in zip(queries, scores, strict=True) if query.kind == kind]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


async def _scores(stage: Stage, scope: Scope, queries: Sequence[Query], mode: SearchMode) -> list[float]:
    deps, scores = stage.deps, []
    for query in queries:
        hits = await search(deps, Wanted(query.text, mode, scope), DEPTH)
        scores.append(ndcg([hit.source_id for hit in hits], query.grades))
    return scores
