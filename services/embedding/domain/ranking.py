"""How what was found is ranked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import repeat
from typing import Final, TypeVar
from uuid import UUID

# Cormack, Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet".
FUSION_K: Final = 60
# A fusion of short rankings misses what is second-best in both of them.
LEAST_DEPTH: Final = 50

T = TypeVar("T", bound=Hashable)


class SearchTooSlow(Exception):
    """The database did not find it in time."""


class SearchMode(StrEnum):
    """By meaning, by words, or by both."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found, with the text of its best chunk.

    `score` orders the hits of one search and compares with nothing else; `similarity` is the cosine between
    query and chunk, None where the search did not look at meaning. `start` and `end` are the chunk's place in its
    source's text, in characters. Of speech `audio_id` is the generation under which its audio is known.
    """

    document_id: UUID
    source_type: str
    source_id: str
    title: str
    text: str
    score: float
    similarity: float | None
    start: int
    end: int
    metadata: Mapping[str, str]
    audio_id: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk that a search has found; `score` and `similarity` are as in Hit, None where it was not computed.

    `weight` is what its place counts, from 0 to 1, where rankings are fused.
    """

    chunk_id: UUID
    document_id: UUID
    score: float
    similarity: float | None
    weight: float = 1.0


def worded_weight(score: float) -> float:
    """Return what a place among those found by words counts beside one by meaning.

    `score` is the share of the words' weights that it has, 1 and more with all that is asked for. A chunk that shares
    no more than some words of a question says little; of the first to the fourth power, and of thresholds, the fourth
    ranked best.
    """
    return min(score, 1.0) ** 4


def fuse_documents(rankings: Sequence[Sequence[Ranked]], limit: int) -> list[Ranked]:
    """The best `limit` documents of all rankings by reciprocal rank, each by its chunk in the first that has it."""
    return _fuse_by(lambda one: one.document_id, rankings, limit)


def fuse_passages(rankings: Sequence[Sequence[Ranked]], limit: int) -> list[Ranked]:
    """The best `limit` chunks of all rankings by reciprocal rank."""
    return _fuse_by(lambda one: one.chunk_id, rankings, limit)


def _fuse_by(key: Callable[[Ranked], UUID], rankings: Sequence[Sequence[Ranked]], limit: int) -> list[Ranked]:
    shown: dict[UUID, Ranked] = {}
    for ranking in rankings:
        for one in ranking:
            shown.setdefault(key(one), one)
    fused = fuse(
        [[key(one) for one in ranking] for ranking in rankings],
        weights=[[one.weight for one in ranking] for ranking in rankings],
    )
    return [replace(shown[name], score=score) for name, score in fused[:limit]]


def fuse(
    rankings: Sequence[Sequence[T]], k: int = FUSION_K, *, weights: Sequence[Sequence[float]] | None = None
) -> list[tuple[T, float]]:
    """Reciprocal rank fusion: every item with the sum of weight / (k + rank) over the rankings, best first.

    Ranks count from 1; an item repeated within one ranking counts once, at its best rank; weights are 1 unless given.
    Equal sums keep the order in which the items were first met, so the same rankings always give the same answer.
    """
    scores: dict[T, float] = {}
    for number, ranking in enumerate(rankings):
        once: dict[T, float] = {}
        for item, weight in zip(ranking, weights[number] if weights else repeat(1.0), strict=False):
            once.setdefault(item, weight)
        for rank, (item, weight) in enumerate(once.items(), start=1):
            scores[item] = scores.get(item, 0.0) + weight / (k + rank)
    return sorted(scores.items(), key=lambda entry: -entry[1])
