"""From a text to the work that makes its audio: as a whole, or in chunks of which some may be there already."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.speech.text.dictionary import Lexicon, Rule
from services.generation.domain.requests import TEXT_MAX_LENGTH
from services.generation.domain.speech import WHOLE_MAX_LENGTH, Piece, Script, Spec
from services.generation.store import chunks, dictionaries, plans, queue, renditions

PHONEMES_OF = "espeak-ng"
"""The engine whose notation of sounds is written where a dictionary says how something sounds."""


def lexicon_of(rules: Sequence[dictionaries.Rules], spec: Spec) -> Lexicon | None:
    """Return dictionaries' rules in the form in which they are applied; None without any."""
    if not rules:
        return None
    read = [[Rule(**rule) for rule in one] for one in rules]
    return Lexicon(*read, language=spec.language, phonemes=spec.engine == PHONEMES_OF)


def priority_of(rendition: renditions.Rendition) -> int:
    """Return whether somebody waits for it."""
    return queue.JOB if rendition.mode == "job" else queue.INTERACTIVE


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be spoken of a text; `pieces` is None of one that is so long that a worker takes it apart."""

    spec: Spec
    pieces: Sequence[Piece] | None
    keys: Sequence[str]
    previous: Sequence[str]

    @property
    def is_short(self) -> bool:
        """Say whether it is spoken as a whole."""
        return self.pieces is not None and not self.keys


async def draw_up(rendition: renditions.Rendition, spec: Spec, script: Script, previous: Sequence[str]) -> Plan:
    """Return what is to be spoken of a rendition; `previous` are the pieces of the text that it is an edit of."""
    if len(rendition.text) > TEXT_MAX_LENGTH:
        return Plan(spec, None, (), previous)
    if len(rendition.text) <= WHOLE_MAX_LENGTH:
        return take_apart(rendition, spec, script, previous)
    return await asyncio.to_thread(take_apart, rendition, spec, script, previous)


def take_apart(rendition: renditions.Rendition, spec: Spec, script: Script, previous: Sequence[str]) -> Plan:
    """Return what is to be spoken of a rendition, however long it is."""
    if len(rendition.text) <= WHOLE_MAX_LENGTH:
        return Plan(spec, [script.whole()], (), previous)
    pieces = script.pieces(previous)
    return Plan(spec, pieces, [spec.cache_key(piece.reading.text) for piece in pieces], previous)


HEAD_START_SECONDS = 0.04
"""Of the first piece of a text that is heard while it is spoken: it has the machine to itself, and is there sooner by
more than the others are later."""


async def begin(
    session: AsyncSession,
    rendition: renditions.Rendition,
    plan: Plan,
    most_at_once: int,
    *,
    is_streamed: bool = False,
) -> None:
    """Queue the work for a rendition that is new, or is held with the plan's keys."""
    if plan.pieces is None:
        await order_plan(session, rendition, most_at_once, plan.previous)
    else:
        await order(session, rendition, plan.spec, plan.pieces, most_at_once, is_streamed=is_streamed)


async def order_plan(
    session: AsyncSession, rendition: renditions.Rendition, most_at_once: int, previous: Sequence[str] = ()
) -> None:
    """Queue that a rendition is to be planned."""
    work = queue.NewWork(
        org_id=rendition.org_id,
        kind="plan",
        rendition_id=rendition.id,
        priority=priority_of(rendition),
        characters=1,
        most_at_once=most_at_once,
        payload={"previous": list(previous)},
    )
    await queue.enqueue(session, [work])


async def is_unplanned(session: AsyncSession, rendition: renditions.Rendition) -> bool:
    """Say whether nothing was queued for a rendition yet."""
    return (
        rendition.status == "pending"
        and rendition.chunks_total is None
        and not await queue.is_queued(session, rendition.id)
    )


async def order(
    session: AsyncSession,
    rendition: renditions.Rendition,
    spec: Spec,
    pieces: Sequence[Piece],
    most_at_once: int,
    *,
    is_streamed: bool = False,
) -> None:
    """Queue what has to be spoken of a rendition whose pieces are these; it is new, or held with their keys.

    The first piece of what `is_streamed` is told of before it is kept, and the others are taken a moment later.
    """
    if len(rendition.text) <= WHOLE_MAX_LENGTH:
        await queue.enqueue(session, [whole(rendition, spec, pieces[0], most_at_once)])
        return
    missing = await plans.plan_chunks(session, rendition, spec, pieces)
    work = [piece(rendition, spec, one, most_at_once) for one in missing]
    if is_streamed and work:
        work[1:] = [replace(one, after_seconds=HEAD_START_SECONDS) for one in work[1:]]
        if work[0].cache_key == spec.cache_key(pieces[0].reading.text):
            work[0] = replace(work[0], payload=work[0].payload | {"is_awaited": True})
    if not work and await renditions.is_complete(session, rendition.id):
        work = [assembly(rendition, most_at_once)]
    await queue.enqueue(session, work)


def whole(rendition: renditions.Rendition, spec: Spec, piece: Piece, most_at_once: int) -> queue.NewWork:
    """Return the work of speaking a short text at once."""
    reading = piece.reading
    is_plain = reading.text == rendition.text
    return queue.NewWork(
        org_id=rendition.org_id,
        kind="whole",
        rendition_id=rendition.id,
        priority=priority_of(rendition),
        characters=len(rendition.text),
        most_at_once=most_at_once,
        engine=spec.engine,
        payload={
            "spec": spec.to_json(),
            "text": rendition.text,
            "reading": None if is_plain else {"text": reading.text, "origins": list(reading.origins)},
        },
    )


def piece(
    rendition: renditions.Rendition,
    spec: Spec,
    missing: plans.Missing,
    most_at_once: int,
    priority: int | None = None,
) -> queue.NewWork:
    """Return the work of speaking a piece, with the rendition's priority unless another is given."""
    return queue.NewWork(
        org_id=rendition.org_id,
        kind="chunk",
        rendition_id=rendition.id,
        priority=priority_of(rendition) if priority is None else priority,
        characters=missing.characters,
        most_at_once=most_at_once,
        cache_key=missing.cache_key,
        engine=spec.engine,
        payload={"spec": spec.to_json(), "reading": missing.reading},
    )


def assembly(rendition: renditions.Rendition | chunks.Advanced, most_at_once: int) -> queue.NewWork:
    """Return the work of joining the chunks of a rendition, which are all there."""
    return queue.NewWork(
        org_id=rendition.org_id,
        kind="assemble",
        rendition_id=rendition.id,
        priority=queue.JOB if rendition.mode == "job" else queue.INTERACTIVE,
        characters=1,
        most_at_once=most_at_once,
    )


async def withdraw(session: AsyncSession, org_id: UUID, rendition_id: UUID) -> None:
    """Take back what is queued for a rendition that ended and is held; pieces that others wait for stay."""
    await queue.withdraw(session, rendition_id)
    unspoken = await queue.withdraw_chunks(session, org_id, rendition_id)
    await chunks.drop_unspoken(session, org_id, unspoken)
