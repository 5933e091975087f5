"""How many of the nearest ten are found, for organisations of each size, against comparing all."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from services.embedding.domain import SearchMode
from services.embedding.store.scope import Scope
from services.embedding.usecases import Wanted, search
from tests.bench.harness import Row, row
from tests.bench.retrieval.stage import Stage
from tests.bench.retrieval.tenants import QUESTIONS_A_SUBJECT, SIZES, Tenant

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LIMIT = 10
SEARCHES = 100
"""In each class."""
TOLERANCE = 1e-5
"""Cosines of 16-bit vectors that are this near are ties."""
NARROWINGS: dict[str, dict[str, str]] = {
    "half of it": {"parity": "0"},
    "a hundredth of it": {"hundredth": "7"},
}


async def measure(stage: Stage) -> list[Row]:
    """Ask each class for what it speaks of and, half of the time, for what it does not."""
    rows = []
    for size_class in SIZES:
        shares, full = await _recall(stage, size_class, {})
        rows.append(row(f"recall@{LIMIT}, organisation with {size_class}", [_mean(shares)], "", at_least=0.95))
        rows.append(row("  searches with all hits that there are", [_mean(full)], "", at_least=1))
    for name, metadata in NARROWINGS.items():
        shares, full = await _recall(stage, "90%", metadata)
        rows.append(row(f"recall@{LIMIT}, 90%, narrowed to {name}", [_mean(shares)], "", at_least=0.95))
        rows.append(row("  searches with all hits that there are", [_mean(full)], "", at_least=1))
    return rows


def _mean(shares: list[float]) -> float:
    return sum(shares) / len(shares)


def asked(stage: Stage, size_class: str, count: int) -> Iterator[tuple[Tenant, int]]:
    """Choose who asks, and which question."""
    dice = random.Random(2)
    tenants = [tenant for tenant in stage.corpus.tenants if tenant.size_class == size_class]
    for number in range(count):
        tenant = dice.choice(tenants)
        own = dice.choice(tenant.subjects) * QUESTIONS_A_SUBJECT + dice.randrange(QUESTIONS_A_SUBJECT)
        yield tenant, own if number % 2 else dice.randrange(len(stage.corpus.questions))


async def _recall(stage: Stage, size_class: str, metadata: Mapping[str, str]) -> tuple[list[float], list[float]]:
    shares, full = [], []
    corpus, deps = stage.corpus, stage.deps
    for tenant, question in asked(stage, size_class, SEARCHES):
        wanted = Wanted(
            corpus.questions[question], SearchMode.VECTOR, Scope(tenant.org_id, None, metadata=dict(metadata))
        )
        hits = await search(deps, wanted, LIMIT)
        nearest = _exact(stage, tenant, corpus.queries[question], metadata)
        least = nearest[-1] - TOLERANCE
        good = sum(hit.similarity is not None and hit.similarity >= least for hit in hits)
        shares.append(min(good, len(nearest)) / len(nearest))
        full.append(float(len(hits) == len(nearest)))
    return shares, full


def _exact(stage: Stage, tenant: Tenant, query: NDArray[np.float32], metadata: Mapping[str, str]) -> list[float]:
    """The cosines of the nearest documents, by comparing all that match."""
    modulus = {"parity": 2, "hundredth": 100}

    def matches(number: int) -> bool:
        return all(number % modulus[name] == int(value) for name, value in metadata.items())

    return stage.corpus.nearest(tenant, query, LIMIT, matches)
