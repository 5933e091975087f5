"""How generations end: completed, failed, canceled, deleted; and how one begins again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationDeleted
from libs.messaging import signal
from libs.web import Caller
from services.generation.adapters import note_finished
from services.generation.domain import errors, requests, signals, speech
from services.generation.store import dictionaries, generations, queue, renditions
from services.generation.usecases import planning
from services.generation.usecases.deps import Deps
from services.generation.usecases.events import canceled_event, completed_event, failed_event, requested_event


async def complete(session: AsyncSession, causes: dict[UUID, Message]) -> None:
    """Complete everything that waited for these renditions; `causes` are the events that say that they can be read."""
    await renditions.complete_renditions(session, list(causes))
    for generation, size_bytes in await generations.complete_generations(session, list(causes)):
        assert generation.rendition_id is not None
        outbox.add(session, completed_event(generation, size_bytes), cause=causes[generation.rendition_id])
        note_finished(session, generation)


async def fail_rendition(
    session: AsyncSession,
    org_id: UUID,
    rendition_id: UUID,
    *,
    code: str,
    reason: str,
    now: datetime,
    cause: Message | None = None,
) -> bool:
    """Fail a rendition, with everything that waited for it; False when it had ended before."""
    await renditions.lock_chunks(session, rendition_id)
    if not await renditions.end_rendition(session, rendition_id, "failed"):
        return False
    await planning.withdraw(session, org_id, rendition_id)
    for generation_id, owner in await generations.fail_generations(session, rendition_id, code=code, reason=reason):
        outbox.add(session, failed_event(generation_id, owner, code, reason, now), cause=cause)
    return True


async def fail_work(session: AsyncSession, work: queue.Work, *, code: str, reason: str, now: datetime) -> list[UUID]:
    """Fail every rendition that waits for a piece of work which cannot be done; return them."""
    waiting = [work.rendition_id]
    if work.cache_key is not None:
        waiting = await renditions.list_wanting(session, work.org_id, work.cache_key)
    return [
        rendition_id
        for rendition_id in waiting
        if await fail_rendition(session, work.org_id, rendition_id, code=code, reason=reason, now=now)
    ]


async def fail_generation(
    session: AsyncSession, generation: requests.Generation, *, code: str, reason: str, now: datetime
) -> None:
    """Fail one generation alone, which is locked; others that wait for the same audio go on."""
    await generations.fail_one(session, generation.id, code=code, reason=reason)
    outbox.add(session, failed_event(generation.id, generation.org_id, code, reason, now))
    if generation.rendition_id is not None:
        await _abandon(session, generation.org_id, generation.rendition_id)


async def cancel_generation(deps: Deps, caller: Caller, generation_id: UUID) -> requests.Generation:
    """Stop a generation that is not finished; what nobody else waits for is not spoken any further.

    Raises GenerationNotFound, WrongState.
    """
    async with deps.database.transaction(caller.org_id) as session:
        generation = await _locked(session, caller, generation_id)
        requests.require_cancelable(generation.status)
        await generations.cancel_generation(session, generation.id)
        outbox.add(session, canceled_event(generation, deps.clock()))
        rendition_id = generation.rendition_id
        stopped = rendition_id is not None and await _abandon(session, caller.org_id, rendition_id)
        canceled = await generations.get_generation(session, caller.org_id, generation_id)
        assert canceled is not None
        note_finished(session, canceled)
    if stopped:
        await signal(deps.bus, signals.STOP, str(rendition_id))
    return canceled


async def _abandon(session: AsyncSession, org_id: UUID, rendition_id: UUID) -> bool:
    """End a rendition if nobody waits for it any more; say whether it was ended."""
    await renditions.lock_chunks(session, rendition_id)
    await renditions.get_rendition(session, rendition_id, lock=True)
    if await generations.is_wanted(session, rendition_id):
        return False
    if not await renditions.end_rendition(session, rendition_id, "canceled"):
        return False
    await planning.withdraw(session, org_id, rendition_id)
    return True


async def _locked(session: AsyncSession, caller: Caller, generation_id: UUID) -> requests.Generation:
    generation = await generations.lock_generation(session, caller.org_id, generation_id)
    if generation is None:
        raise errors.GenerationNotFound
    return generation


async def delete_generation(deps: Deps, caller: Caller, generation_id: UUID) -> None:
    """Delete a generation of the caller's organisation, in whatever state it is; its objects follow by event.

    Audio and pieces that others share stay. A worker that is speaking it finds it gone and leaves nothing. Raises
    GenerationNotFound.
    """
    async with deps.database.transaction(caller.org_id) as session:
        generation = await _locked(session, caller, generation_id)
        deleted = GenerationDeleted(
            generation_id=str(generation_id), org_id=str(caller.org_id), deleted_at=deps.clock(), audio_id=""
        )
        await generations.delete_generation(session, caller.org_id, generation_id)
        rendition_id = generation.rendition_id
        stopped = False
        if rendition_id is not None:
            stopped = await _abandon(session, caller.org_id, rendition_id)
            rendition = await renditions.get_rendition(session, rendition_id)
            if rendition is not None and not await generations.is_referred_to(session, rendition_id):
                deleted.object_keys.extend(await renditions.delete_rendition(session, rendition))
                deleted.audio_id = str(rendition_id)
        outbox.add(session, deleted)
    if stopped:
        await signal(deps.bus, signals.STOP, str(rendition_id))


async def retry_generation(deps: Deps, caller: Caller, generation_id: UUID) -> requests.Generation:
    """Begin a generation again that failed or was canceled; what was spoken of it is not spoken again.

    Raises GenerationNotFound, WrongState, UnknownVoice, DictionaryNotFound, QuotaExceeded, Overloaded, Unavailable.
    """
    async with deps.database.transaction(caller.org_id) as session:
        generation = await generations.get_generation(session, caller.org_id, generation_id)
        if generation is None:
            raise errors.GenerationNotFound
        requests.require_repeatable(generation.status)
        former = await renditions.get_rendition(session, generation.rendition_id) if generation.rendition_id else None
        rules = await dictionaries.get_rules(session, caller.org_id, generation.wanted_again().dictionaries)
    if former is None or generation.voice_id is None:
        raise errors.UnknownVoice
    spec = speech.Spec.from_json(former.spec)
    script = speech.Script(generation.text, generation.input_type, planning.lexicon_of(rules, spec), spec.language)
    deps.admission.require_room(caller.org_id, generation.wanted_again())
    most_at_once = await deps.quota.reserve(caller.org_id, generation_id, generation.characters, again=True)
    revived = await _revive(deps, caller, generation_id, spec, script, most_at_once)
    await signal(deps.bus, signals.WORK)
    return revived


async def _revive(
    deps: Deps, caller: Caller, generation_id: UUID, spec: speech.Spec, script: speech.Script, most_at_once: int
) -> requests.Generation:
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        generation = await _locked(session, caller, generation_id)
        requests.require_repeatable(generation.status)
        assert generation.rendition_id is not None
        await renditions.lock_chunks(session, generation.rendition_id)
        rendition = await renditions.get_rendition(session, generation.rendition_id, lock=True)
        assert rendition is not None
        await generations.revive_generation(session, generation_id)
        voice = requests.Voice(
            generation.voice_id or UUID(int=0), None, generation.voice_name, spec.language, spec.engine, spec.voice
        )
        outbox.add(session, requested_event(generation, voice, now))
        if rendition.status == "completed":
            # It was canceled, and others had it made.
            await _complete_revived(session, rendition.id)
        elif rendition.status in ("failed", "canceled"):
            await renditions.reopen_rendition(session, rendition.id)
            await planning.begin(session, rendition, spec, script, most_at_once)
        revived = await generations.get_generation(session, caller.org_id, generation_id)
        assert revived is not None
    return revived


async def _complete_revived(session: AsyncSession, rendition_id: UUID) -> None:
    for generation, size_bytes in await generations.complete_generations(session, [rendition_id], is_paid=True):
        outbox.add(session, completed_event(generation, size_bytes))
        note_finished(session, generation)


async def list_previous(deps: Deps, caller: Caller, generation: requests.Generation) -> Sequence[str]:
    """Return the pieces that a generation was spoken in; none for one that was spoken as a whole."""
    if generation.rendition_id is None or generation.input_type != "text":
        return ()
    async with deps.database.transaction(caller.org_id) as session:
        return await renditions.list_readings(session, generation.rendition_id)
