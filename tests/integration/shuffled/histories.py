"""What may happen to organisations, their voices and their generations, as the events that tell of it.

A history is drawn by Hypothesis as a plan (who exists, and what becomes of it); its events follow from the plan. Ids
are counted, so that the same plan is always told by the same events.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from hypothesis import strategies as st

from tests.integration.shuffled.lives import Brought, Clock, Generation, Ids, Outcome, Voice
from tests.integration.shuffled.telling import (
    document_events,
    generation_events,
    media_events,
    org_events,
    voice_events,
)

TEXTS = ("Hello there.", "Twenty-five ships.", "Grüße, 世界", "Hello there. " * 90)


@dataclass(frozen=True)
class Told:
    """One event, as its emitter's relay publishes it."""

    event_id: UUID
    event: Message


@dataclass(frozen=True)
class History:
    """All that happens, in an order in which it may have happened."""

    orgs: tuple[UUID, ...]
    voices: tuple[Voice, ...]
    generations: tuple[Generation, ...]
    brought: tuple[Brought, ...]
    told: tuple[Told, ...]

    @property
    def sharing(self) -> list[list[Generation]]:
        """The generations by the audio that they have in common, the first who asked for it first."""
        groups: dict[UUID, list[Generation]] = defaultdict(list)
        for made in self.generations:
            groups[made.audio_id].append(made)
        return list(groups.values())

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # Any: Hypothesis's own printer
        """What Hypothesis prints when a test fails."""
        people = [*self.voices, *self.generations]
        printer.text("\n".join(["History of", *map(repr, people), *(told.event.DESCRIPTOR.name for told in self.told)]))

    def shuffled(self, seed: int, times: int = 3) -> list[Told]:
        """Every event so many times, in an order that `seed` decides."""
        deliveries = [told for told in self.told for _ in range(times)]
        random.Random(seed).shuffle(deliveries)
        return deliveries


@dataclass(frozen=True)
class _Plan:
    """How one organisation fares: (revisions, deleted) of its voices; generations by (voice, text, outcome, …).

    At the end stands what is deleted: of an audio that two have in common the one, the other, or both.
    """

    plan: str
    voices: tuple[tuple[int, bool], ...]
    generations: tuple[tuple[int, str, Outcome, bool, tuple[bool, ...]], ...]


def _history(plans: Iterable[_Plan], system_revisions: int, seed: int) -> History:
    ids, now = Ids(), Clock()
    system = Voice(ids(), None, system_revisions, deleted=False)
    orgs: list[UUID] = []
    voices = [system]
    generations: list[Generation] = []
    documents: list[Brought] = []
    sharing: list[list[Generation]] = []
    lives: list[list[Message]] = []
    for plan in plans:
        org_id = ids()
        orgs.append(org_id)
        own = [Voice(ids(), org_id, revisions, deleted) for revisions, deleted in plan.voices]
        voices += own
        choices = [system, *(voice for voice in own if voice.revisions)]
        for voice, text, outcome, deferred, deleted in plan.generations:
            spoken_with = choices[voice % len(choices)]
            first = ids()
            made = Generation(first, org_id, first, spoken_with, text, outcome, deferred, deleted[0])
            # Who cancels does not cancel it for the other one.
            goes_on = Outcome.STORED if outcome is Outcome.CANCELED else outcome
            others = [replace(made, id=ids(), outcome=goes_on, deleted=gone) for gone in deleted[1:]]
            generations += [made, *others]
            sharing.append([made, *others])
        lives.append(list(org_events(org_id, plan.plan, ids, now)))
        lives.append(list(media_events(org_id, ids, now)))
        documents.append(Brought(ids(), org_id, f"Knowledge of {plan.plan}."))
    lives += [list(document_events(brought, ids, now)) for brought in documents]
    lives += [list(voice_events(voice, ids, now)) for voice in voices]
    lives += [list(generation_events(together, ids, now)) for together in sharing]
    events = _interleaved(lives, random.Random(seed))
    told = tuple(Told(ids(), event) for event in events)
    return History(tuple(orgs), tuple(voices), tuple(generations), tuple(documents), told)


def _interleaved(lives: list[list[Message]], order: random.Random) -> Iterator[Message]:
    """Take from the lives in turn, from each in its own order."""
    remaining = [list(reversed(life)) for life in lives]
    while remaining:
        life = order.choice(remaining)
        yield life.pop()
        if not life:
            remaining.remove(life)


_DELETED = tuple(gone for count in (1, 2) for gone in itertools.product((False, True), repeat=count))
"""Of one generation, or of two that share their audio."""
EVERYTHING = _history(
    [
        _Plan(
            "pro",
            ((3, True), (2, False), (0, True), (0, False)),
            tuple(
                (number, TEXTS[number % len(TEXTS)], outcome, deferred, deleted)
                for number, (outcome, deferred, deleted) in enumerate(
                    itertools.product(Outcome, (False, True), _DELETED)
                )
            ),
        )
    ],
    system_revisions=2,
    seed=0,
)
"""A history in which all that can happen does."""


def _plans() -> st.SearchStrategy[_Plan]:
    voices = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=3).map(tuple)
    generation: st.SearchStrategy[Any] = st.tuples(  # Any: Hypothesis types tuples of up to five only as a whole
        st.integers(0, 3), st.sampled_from(TEXTS), st.sampled_from(Outcome), st.booleans(), st.sampled_from(_DELETED)
    )
    return st.builds(
        _Plan,
        plan=st.sampled_from(("free", "pro", "enterprise")),
        voices=voices,
        generations=st.lists(generation, max_size=4).map(tuple),
    )


def histories() -> st.SearchStrategy[History]:
    """Histories of one or two organisations and everybody's voice."""
    return st.builds(
        _history,
        st.lists(_plans(), min_size=1, max_size=2),
        system_revisions=st.integers(1, 3),
        seed=st.integers(0, 2**16),
    )
