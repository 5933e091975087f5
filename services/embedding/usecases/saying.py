"""When what was found is said, where it is speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.messaging import Unavailable
from services.embedding import domain
from services.embedding.adapters.spoken import Said
from services.embedding.usecases.deps import Deps

TIMED_HIGHLIGHTS = 10
"""Of each hit: so many marked words have times."""


@dataclass(frozen=True, slots=True)
class Heard:
    """When a passage is heard, and its first TIMED_HIGHLIGHTS marked words, as (start, end) in milliseconds."""

    passage: tuple[int, int]
    words: Sequence[tuple[int, int]]


async def find_times(
    deps: Deps, org_id: UUID, hits: Sequence[domain.Hit], marked: Sequence[Sequence[tuple[int, int]]]
) -> tuple[list[Heard | None], bool]:
    """Return for each hit when it is heard, None where it is no speech, or none that is kept.

    `marked` are places in the hits' texts. Also says whether all that was asked was answered: while storage is away,
    hits come without times.
    """
    heard: list[Heard | None] = [None] * len(hits)
    spoken = [number for number, hit in enumerate(hits) if hit.source_type == domain.SourceType.GENERATION]
    if not spoken:
        return heard, True
    if deps.spoken is None:
        return heard, False
    asked = [
        Said(hit.audio_id, [(hit.start, hit.end), *((hit.start + start, hit.start + end) for start, end in words)])
        for hit, words in ((hits[number], marked[number][:TIMED_HIGHLIGHTS]) for number in spoken)
    ]
    try:
        answers = await deps.spoken.ask(org_id, asked)
    except Unavailable:
        return heard, False
    for number, times in zip(spoken, answers, strict=True):
        if times:
            heard[number] = Heard(times[0], times[1:])
    return heard, True
