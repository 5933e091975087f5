"""Asking for speech: what is there already is given at once, the rest is queued for the speech workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.messaging import Unavailable, signal_later
from libs.speech.text.dictionary import Lexicon
from libs.web import Caller, Once, id_for
from services.generation.domain import errors, requests, signals, speech
from services.generation.store import acceptance, dictionaries, generations, holding, queue, renditions, voices
from services.generation.usecases import choosing, planning
from services.generation.usecases.deps import Deps
from services.generation.usecases.events import completed_event, deferred_event, requested_event
from services.generation.usecases.offering import Offer

logger = logging.getLogger(__name__)
WAIT_POLL_SECONDS = 0.5
"""How long a lost notice can delay the answer to a waiting client."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with all that was found out about it."""

    id: UUID
    caller: Caller
    request: requests.Request
    voice: requests.Voice
    spec: speech.Spec
    revised_from: UUID | None
    previous: Sequence[str]
    is_streamed: bool

    @property
    def fingerprint(self) -> str | None:
        """What equal requests have in common; None when nothing is to be shared."""
        return self.spec.fingerprint(self.request.text) if self.request.use_cache else None


async def request_generation(
    deps: Deps,
    caller: Caller,
    request: requests.Request,
    once: Once | None,
    *,
    wait_seconds: float = 0,
    revised_from: UUID | None = None,
    previous: Sequence[str] = (),
    is_streamed: bool = False,
) -> requests.Generation:
    """Accept a request for speech, and return it once it is finished or as it is after `wait_seconds`.

    What is to be done `once` and was done before gives the same generation. What comes while the quota cannot be asked
    is accepted, too, and fails later if the plan does not cover it. `previous` are the pieces of the generation that it
    is a revision of; what `is_streamed` is to be heard while it is spoken. Raises UnknownVoice, DictionaryNotFound,
    LanguageUnknown, InvalidMarkup, QuotaExceeded, Overloaded, and GenerationNotFound for what was made once and deleted
    since.
    """
    generation_id = id_for(once)
    # Listening begins before anything can finish.
    with deps.finishes.expecting(generation_id) as finished:
        generation = await _request(
            deps, caller, request, once, generation_id, revised_from, previous, is_streamed=is_streamed
        )
        return await _wait(deps, caller, generation, finished, wait_seconds) if wait_seconds else generation


async def _request(
    deps: Deps,
    caller: Caller,
    request: requests.Request,
    once: Once | None,
    generation_id: UUID,
    revised_from: UUID | None,
    previous: Sequence[str],
    *,
    is_streamed: bool,
) -> requests.Generation:
    earlier = await _asked_before(deps, caller, once)
    if earlier is not None:
        return earlier
    voice = await choosing.spoken_by(deps, request, await choosing.find_voice(deps, caller, request.voice_id))
    spec = await choosing.spec(deps, request, voice)
    asked = _Asked(generation_id, caller, request, voice, spec, revised_from, previous, is_streamed)
    try:
        given, is_being_made = await _give(deps, asked)
        return given or await _order(deps, asked, is_being_made=is_being_made)
    except asyncpg.UniqueViolationError:
        # Only the id can collide: the same request arrived twice at once.
        earlier = await _asked_before(deps, caller, once)
        if earlier is None:
            raise
        return earlier


async def _asked_before(deps: Deps, caller: Caller, once: Once | None) -> requests.Generation | None:
    if once is None:
        return None
    async with deps.database.transaction(caller.org_id) as session:
        earlier = await generations.get_generation(session, caller.org_id, once.resource_id)
    if earlier is None and once.is_made:
        raise errors.GenerationNotFound
    return earlier


async def _give(deps: Deps, asked: _Asked) -> tuple[requests.Generation | None, bool]:
    """Answer with audio that an equal request has had made; nothing is reserved or billed.

    None without any, and whether it is being made.
    """
    if asked.fingerprint is None:
        return None, False
    with suppress(renditions.RenditionEnded):
        async with deps.database.transaction(asked.caller.org_id) as session:
            made = await renditions.share_rendition(session, asked.caller.org_id, asked.fingerprint)
            if made is None or made.status != "completed":
                return None, made is not None
            if asked.voice.org_id is not None and not await voices.lock_custom_voice(session, asked.voice.id):
                raise errors.UnknownVoice
            generation = await _insert(session, deps, asked, made)
            outbox.add(session, completed_event(generation, made.size_bytes or 0))
        return generation, False
    return None, False


async def _order(deps: Deps, asked: _Asked, *, is_being_made: bool) -> requests.Generation:
    """Reserve the characters if that can be done, then write the request with its work and event in one transaction."""
    lexicon = await _lexicon(deps, asked)
    script = speech.Script(asked.request.text, asked.request.input_type, lexicon, asked.spec.language)
    deps.admission.require_room(asked.caller.org_id, asked.request)
    try:
        most_at_once = await deps.quota.reserve(
            asked.caller.org_id,
            asked.id,
            asked.request.characters,
            seconds=deps.admission.longest_wait(asked.request.mode),
        )
    except Unavailable as error:
        logger.warning("the quota is asked later", extra={"reason": str(error)})
        most_at_once = None
    generation = None
    while generation is None:
        with suppress(renditions.RenditionEnded):
            generation = await _accept(deps, asked, script, most_at_once, is_being_made=is_being_made)
    if asked.is_streamed:
        signal_later(deps.bus, signals.WORK, planning.HEAD_START_SECONDS)
    return generation


async def _lexicon(deps: Deps, asked: _Asked) -> Lexicon | None:
    if not asked.request.dictionaries:
        return None
    async with deps.database.transaction(asked.caller.org_id) as session:
        rules = await dictionaries.get_rules(session, asked.caller.org_id, asked.request.dictionaries)
    return planning.lexicon_of(rules, asked.spec)


async def _accept(
    deps: Deps, asked: _Asked, script: speech.Script, most_at_once: int | None, *, is_being_made: bool
) -> requests.Generation:
    """Write the request down: beside an equal one whose audio is being made, or with work of its own."""
    now = deps.clock()
    new = renditions.new_rendition(asked.id, asked.caller.org_id, asked.request.text, asked.spec, asked.request.mode)
    plan = await planning.draw_up(new, asked.spec, script, asked.previous)
    short = None
    if most_at_once is not None and plan.is_short and plan.pieces:
        short = planning.whole(new, asked.spec, plan.pieces[0], most_at_once)
    # What is being made is most likely shared.
    offering = deps.offers.making(None if is_being_made else short, asked.fingerprint)
    async with offering as offer, deps.database.transaction(asked.caller.org_id) as session:
        if plan.keys:
            await holding.hold_planning(session, asked.caller.org_id)
        if asked.voice.org_id is not None and not await voices.lock_custom_voice(session, asked.voice.id):
            raise errors.UnknownVoice
        if short is not None:
            generation = await _accept_short(session, asked, new.id, short, offer, now)
            if generation is not None:
                return generation
        rendition = await _join(session, asked, new)
        is_new = rendition.id == asked.id
        generation = await _insert(session, deps, asked, rendition)
        if generation.status == "completed":
            outbox.add(session, completed_event(generation, rendition.size_bytes or 0))
            return generation
        requested = requested_event(generation, asked.voice, now)
        if most_at_once is None:
            outbox.add(session, deferred_event(requested, now))
            return generation
        outbox.add(session, requested)
        if is_new:
            await planning.begin(session, rendition, plan, most_at_once, is_streamed=asked.is_streamed)
        elif await planning.is_unplanned(session, rendition):
            # Whoever asked for it first is still waiting for the quota, and may be refused or give up.
            await planning.order_plan(session, rendition, most_at_once)
    return generation


async def _accept_short(
    session: AsyncSession, asked: _Asked, rendition_id: UUID, work: queue.NewWork, offer: Offer, now: datetime
) -> requests.Generation | None:
    """Do as `_accept` does with what is spoken at once, in one statement; None when an equal request was first."""
    generation = await acceptance.insert_short(
        session,
        _new(asked, rendition_id, now),
        asked.request,
        asked.voice,
        asked.spec,
        offer.work_id,
        work,
        worker=await offer.entrust(),
        fingerprint=asked.fingerprint,
    )
    if generation is None:
        offer.withdraw()
    else:
        outbox.add(session, requested_event(generation, asked.voice, now))
    return generation


def _new(asked: _Asked, rendition_id: UUID, now: datetime) -> generations.NewGeneration:
    caller = asked.caller
    return generations.NewGeneration(
        asked.id, caller.org_id, caller.key_id, caller.user_id, rendition_id, asked.revised_from, now
    )


async def _join(session: AsyncSession, asked: _Asked, new: renditions.Rendition) -> renditions.Rendition:
    """Return the rendition of an equal request, or `new` for this."""
    while True:
        if asked.fingerprint is not None:
            known = await renditions.share_rendition(session, asked.caller.org_id, asked.fingerprint)
            if known is not None:
                return known
        if await renditions.insert_rendition(
            session,
            asked.id,
            asked.caller.org_id,
            fingerprint=asked.fingerprint,
            text=asked.request.text,
            spec=asked.spec,
            mode=asked.request.mode,
        ):
            return new


async def _insert(
    session: AsyncSession, deps: Deps, asked: _Asked, rendition: renditions.Rendition
) -> requests.Generation:
    new = _new(asked, rendition.id, deps.clock())
    done = None
    if rendition.status == "completed":
        done = {
            "object_key": rendition.object_key,
            "duration_seconds": rendition.duration_seconds,
            "applied": rendition.applied,
        }
    return await generations.insert_generation(
        session, new, asked.request, asked.voice, language=asked.spec.language, rendition=done
    )


async def _wait(
    deps: Deps,
    caller: Caller,
    generation: requests.Generation,
    finished: asyncio.Future[requests.Completion | None],
    seconds: float,
) -> requests.Generation:
    """Return the generation once it is finished, or as it is after `seconds` or when the process is to stop.

    Raises GenerationNotFound.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while not generation.is_finished:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0 or deps.finishes.is_closing:
            break
        await asyncio.wait({finished}, timeout=min(left, WAIT_POLL_SECONDS))
        told = finished.result() if finished.done() else None
        generation = told.of(generation) if told else await get_generation(deps, caller, generation.id)
        if finished.done():
            finished = asyncio.get_running_loop().create_future()  # heard once; from here on only time counts
    return generation


async def get_generation(deps: Deps, caller: Caller, generation_id: UUID) -> requests.Generation:
    """Return a generation of the caller's organisation. Raises GenerationNotFound."""
    async with deps.database.transaction(caller.org_id) as session:
        current = await generations.get_generation(session, caller.org_id, generation_id)
    if current is None:
        raise errors.GenerationNotFound
    return current
