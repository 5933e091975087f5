"""How generations end: completed, failed, canceled, deleted; and how one begins again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationDeleted
from libs.messaging import inbox, signal
from libs.web import Caller, Once
from services.generation.adapters import note_finished
from services.generation.domain import errors, requests, signals, speech
from services.generation.store import chunks, dictionaries, endings, generations, holding, queue, renditions
from services.generation.usecases import planning
from services.generation.usecases.deps import Deps
from services.generation.usecases.events import canceled_event, completed_event, failed_event, requested_event

CANCEL_GENERATION = "generation-cancel_generation"
RETRY_GENERATION = "generation-retry_generation"
"""What the inbox remembers of requests that are to be done once, so that a repetition changes nothing."""


async def complete(session: AsyncSession, causes: dict[UUID, Message]) -> None:
    """Complete everything that waited for these renditions; `causes` are the events that say that they can be read.

    So does what workers of an earlier release made, who left it to storage.
    """
    await renditions.complete_renditions(session, list(causes))
    for generation, size_bytes in await endings.complete_generations(session, list(causes)):
        assert generation.rendition_id is not None
        outbox.add(session, completed_event(generation, size_bytes), cause=causes[generation.rendition_id])
        note_finished(session, generation)


async def fail_renditions(
    session: AsyncSession,
    org_id: UUID,
    rendition_ids: Sequence[UUID],
    *,
    code: str,
    reason: str,
    now: datetime,
    cause: Message | None = None,
    refused_key: str = "",
) -> list[UUID]:
    """Fail renditions of an organisation, with everything that waited for them; return those that had not ended.

    Also what was completed with the object `refused_key`.
    """
    failed = []
    for rendition_id, held in (await holding.hold_renditions(session, org_id, rendition_ids)).items():
        refused = held.status == "completed" and held.object_key == refused_key
        if not await renditions.end_rendition(session, rendition_id, "failed", even_completed=refused):
            continue
        await planning.withdraw(session, org_id, rendition_id)
        for generation_id, owner in await endings.fail_generations(
            session, rendition_id, code=code, reason=reason, even_completed=refused
        ):
            outbox.add(session, failed_event(generation_id, owner, code, reason, now), cause=cause)
        failed.append(rendition_id)
    return failed


async def fail_work(
    session: AsyncSession, work: queue.Work, worker: UUID, *, code: str, reason: str, now: datetime
) -> list[UUID]:
    """Fail every rendition that waits for a piece of work which `worker` cannot do; return them.

    None when the work is not the worker's any more: it was withdrawn, or somebody else does it.
    """
    waiting = [work.rendition_id]
    if work.cache_key is not None:
        # From here on nobody more comes to want the piece: whoever did would have to be locked out of the order.
        await holding.hold_planning(session, work.org_id)
        waiting = await chunks.list_wanting(session, work.org_id, work.cache_key)
    await holding.hold_renditions(session, work.org_id, waiting, [work.cache_key] if work.cache_key else [])
    if not await queue.is_held(session, work, worker):
        return []
    ended = await fail_renditions(session, work.org_id, waiting, code=code, reason=reason, now=now)
    await queue.finish(session, work, worker)
    return ended


async def fail_generation(
    session: AsyncSession, generation: requests.Generation, *, code: str, reason: str, now: datetime
) -> None:
    """Fail one generation alone, which is held; others that wait for the same audio go on."""
    await endings.fail_one(session, generation.id, code=code, reason=reason)
    outbox.add(session, failed_event(generation.id, generation.org_id, code, reason, now))
    if generation.rendition_id is not None:
        await _abandon(session, generation.org_id, generation.rendition_id)


async def cancel_generation(
    deps: Deps, caller: Caller, generation_id: UUID, once: Once | None = None
) -> requests.Generation:
    """Stop a generation that is not finished; what nobody else waits for is not spoken any further.

    What is to be done `once` and was done before changes nothing. Raises GenerationNotFound, WrongState.
    """
    async with deps.database.transaction(caller.org_id) as session:
        generation = await _held(session, caller, generation_id)
        if once is not None and not await inbox.is_new(session, CANCEL_GENERATION, once.resource_id):
            return generation
        requests.require_cancelable(generation.status)
        if generation.rendition_id is not None:
            await _require_unmade(session, generation.rendition_id)
        await endings.cancel_generation(session, generation.id)
        outbox.add(session, canceled_event(generation, deps.clock()))
        rendition_id = generation.rendition_id
        stopped = rendition_id is not None and await _abandon(session, caller.org_id, rendition_id)
        canceled = await generations.get_generation(session, caller.org_id, generation_id)
        assert canceled is not None
        note_finished(session, canceled)
    if stopped:
        await signal(deps.bus, signals.STOP, str(rendition_id))
    return canceled


async def _require_unmade(session: AsyncSession, rendition_id: UUID) -> None:
    rendition = await renditions.get_rendition(session, rendition_id)
    if rendition is not None and rendition.status == "rendered":
        raise errors.WrongState("all of it is spoken, and about to be completed; delete it if it is not wanted")


async def _abandon(session: AsyncSession, org_id: UUID, rendition_id: UUID) -> bool:
    """End a rendition, which is held, if nobody waits for it any more; say whether it was ended."""
    if await generations.is_wanted(session, rendition_id):
        return False
    if not await renditions.end_rendition(session, rendition_id, "canceled"):
        return False
    await planning.withdraw(session, org_id, rendition_id)
    return True


async def hold_generation(
    session: AsyncSession, org_id: UUID, generation_id: UUID, cache_keys: Sequence[str] = ()
) -> requests.Generation | None:
    """Keep a generation as it is until the transaction ends, with its rendition and its pieces; None without one."""
    generation = await generations.get_generation(session, org_id, generation_id)
    if generation is not None and generation.rendition_id is not None:
        await holding.hold_renditions(session, org_id, [generation.rendition_id], cache_keys)
    return await generations.lock_generation(session, org_id, generation_id)


async def _held(
    session: AsyncSession, caller: Caller, generation_id: UUID, cache_keys: Sequence[str] = ()
) -> requests.Generation:
    generation = await hold_generation(session, caller.org_id, generation_id, cache_keys)
    if generation is None:
        raise errors.GenerationNotFound
    return generation


async def delete_generation(deps: Deps, caller: Caller, generation_id: UUID) -> None:
    """Delete a generation of the caller's organisation, in whatever state it is; its objects follow by event.

    Audio and pieces that others share stay. A worker that is speaking it finds it gone and leaves nothing. Raises
    GenerationNotFound.
    """
    async with deps.database.transaction(caller.org_id) as session:
        generation = await _held(session, caller, generation_id)
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
                deleted.object_keys.extend(await chunks.release_chunks(session, rendition))
                deleted.object_keys.extend(await renditions.delete_rendition(session, rendition))
                deleted.audio_id = str(rendition_id)
        outbox.add(session, deleted)
    await deps.known_audio.removed(generation_id)
    if stopped:
        await signal(deps.bus, signals.STOP, str(rendition_id))


async def retry_generation(
    deps: Deps, caller: Caller, generation_id: UUID, once: Once | None = None
) -> requests.Generation:
    """Begin a generation again that failed or was canceled; what was spoken of it is not spoken again.

    What is to be done `once` and was done before changes nothing. Raises GenerationNotFound, WrongState, UnknownVoice,
    DictionaryNotFound, QuotaExceeded, Overloaded, Unavailable.
    """
    async with deps.database.transaction(caller.org_id) as session:
        generation = await generations.get_generation(session, caller.org_id, generation_id)
        if generation is None:
            raise errors.GenerationNotFound
        if once is not None and await inbox.is_known(session, RETRY_GENERATION, once.resource_id):
            # It may have been done, or deleted, since it was read.
            done = await generations.get_generation(session, caller.org_id, generation_id)
            if done is None:
                raise errors.GenerationNotFound
            return done
        requests.require_repeatable(generation.status)
        former = await renditions.get_rendition(session, generation.rendition_id) if generation.rendition_id else None
        rules = await dictionaries.get_rules(session, caller.org_id, generation.wanted_again().dictionaries)
    if former is None or generation.voice_id is None:
        raise errors.UnknownVoice
    spec = speech.Spec.from_json(former.spec)
    previous = await list_previous(deps, caller, generation)
    script = speech.Script(generation.text, generation.input_type, planning.lexicon_of(rules, spec), spec.language)
    deps.admission.require_room(caller.org_id, generation.wanted_again())
    most_at_once = await deps.quota.reserve(
        caller.org_id,
        generation_id,
        generation.characters,
        again=True,
        seconds=deps.admission.longest_wait(generation.mode),
    )
    plan = await planning.draw_up(former, spec, script, previous)
    revived = await _revive(deps, caller, generation_id, plan, most_at_once, once)
    await signal(deps.bus, signals.WORK)
    return revived


async def _revive(
    deps: Deps, caller: Caller, generation_id: UUID, plan: planning.Plan, most_at_once: int, once: Once | None
) -> requests.Generation:
    spec, now = plan.spec, deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        generation = await _held(session, caller, generation_id, plan.keys)
        if once is not None and not await inbox.is_new(session, RETRY_GENERATION, once.resource_id):
            return generation
        requests.require_repeatable(generation.status)
        assert generation.rendition_id is not None
        rendition = await renditions.get_rendition(session, generation.rendition_id)
        assert rendition is not None
        await endings.revive_generation(session, generation_id)
        voice = requests.Voice(
            generation.voice_id or UUID(int=0), None, generation.voice_name, spec.language, spec.engine, spec.voice
        )
        outbox.add(session, requested_event(generation, voice, now))
        if rendition.status == "completed":
            # It was canceled, and others had it made.
            await _complete_revived(session, rendition.id)
        elif rendition.status in ("failed", "canceled"):
            await renditions.reopen_rendition(session, rendition.id)
            await planning.begin(session, rendition, plan, most_at_once)
        elif await planning.is_unplanned(session, rendition):
            # Whoever else waits for it is still waiting for the quota, and may be refused or give up.
            await planning.order_plan(session, rendition, most_at_once, plan.previous)
        revived = await generations.get_generation(session, caller.org_id, generation_id)
        assert revived is not None
    return revived


async def _complete_revived(session: AsyncSession, rendition_id: UUID) -> None:
    for generation, size_bytes in await endings.complete_generations(session, [rendition_id], is_paid=True):
        outbox.add(session, completed_event(generation, size_bytes))
        note_finished(session, generation)


async def list_previous(deps: Deps, caller: Caller, generation: requests.Generation) -> Sequence[str]:
    """Return the pieces that a generation was spoken in; none for one that was spoken as a whole."""
    if generation.rendition_id is None or generation.input_type != "text":
        return ()
    async with deps.database.transaction(caller.org_id) as session:
        return await chunks.list_readings(session, generation.rendition_id)
