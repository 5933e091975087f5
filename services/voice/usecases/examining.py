"""What becomes of recordings: decoded, judged, matched; the voice is then ready or rejected.

No transaction is open while a recording is examined or matched. What was found is written if the voice still waits for
that very submission; whoever deletes or changes it meanwhile has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.audio.intake import IntakeError
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceSubmitted
from libs.ids import parse_id
from libs.messaging import Delivery, Permanent
from libs.speech.languages import profile_for_language
from services.voice import domain, store
from services.voice.domain import recordings
from services.voice.usecases import telling
from services.voice.usecases.deps import Workshop

_NOT_EXAMINED = "the recordings could not be examined now, which is no fault of theirs; delete the voice and try again"


@dataclass(frozen=True, slots=True)
class _Findings:
    """What is written of a voice; without `matched` it is spoken plainly, if at all, and `plainly` says why."""

    heard: Sequence[recordings.Heard]
    judgement: recordings.Judgement
    matched: domain.Matched | None = None
    plainly: str = ""


async def examine_voice(deps: Workshop, delivery: Delivery[VoiceSubmitted]) -> None:
    """Examine and match what a voice was made of. Delivered again, it finishes what is left to do.

    Raises ObjectMissing, ObjectStoreUnavailable, IntakeUnavailable.
    """
    org_id, voice_id = _ids(delivery.event)
    # A preview is put before the voice names it; by this key whoever gets the event again knows which one it was.
    preview_key = domain.object_key(voice_id, org_id, delivery.event_id)
    async with deps.database.transaction(org_id) as session:
        voice = await store.get_voice(session, org_id, voice_id)
        samples = await store.list_samples(session, voice_id)
    if voice is not None and not voice.is_examined:
        voice = await _examine(deps, org_id, voice, samples, preview_key)
    await _tidy(deps, org_id, voice, preview_key)


async def _examine(
    deps: Workshop, org_id: UUID, seen: domain.Voice, samples: Sequence[domain.Sample], preview_key: str
) -> domain.Voice | None:
    """Find out and record; the voice as it is then, None if it is gone."""
    findings = await _find_out(deps, seen, samples)
    sha256 = None
    if findings.matched is not None:
        sha256 = await deps.objects.put(preview_key, findings.matched.preview, "audio/mpeg")
    preview = (preview_key, sha256) if sha256 else (None, None)
    async with deps.database.transaction(org_id) as session:
        voice = await store.lock_custom_voice(session, org_id, seen.id)
        if voice is None or voice.is_examined or voice.submitted != seen.submitted:
            return voice
        for heard in findings.heard:
            await store.update_sample(session, heard.sample.id, recordings.examined_sample(heard))
        return await _record(session, voice, findings, *preview)


async def _find_out(deps: Workshop, voice: domain.Voice, samples: Sequence[domain.Sample]) -> _Findings:
    heard: list[recordings.Heard] = []
    reference = bytearray()
    sample_rate = 0
    for sample in samples:
        content = await deps.objects.get(sample.object_key)
        try:
            examined = await deps.examine(content)
        except IntakeError as problem:
            heard.append(recordings.Heard(sample, None, str(problem)))
            continue
        heard.append(recordings.Heard(sample, examined.report))
        sample_rate = examined.sample_rate
        reference += recordings.matchable(examined.pcm, examined.report, sample_rate, files=len(samples))
    judgement = recordings.judge_all(heard)
    if judgement.reasons:
        return _Findings(heard, judgement)
    try:
        matched = await deps.match(domain.Reference(bytes(reference), sample_rate, voice.language))
    except domain.MatchingFailed as reason:
        return _Findings(heard, judgement, plainly=str(reason))
    return _Findings(heard, judgement, matched)


async def _record(
    session: AsyncSession,
    voice: domain.Voice,
    findings: _Findings,
    preview_key: str | None,
    preview_sha256: str | None,
) -> domain.Voice:
    """Write what was found of a locked voice, with its new preview, if there is one, and tell it."""
    was_ready = voice.status is domain.Status.READY
    if findings.judgement.reasons and was_ready:
        # Its recordings were good enough before, so that something else has failed: it stays what it is.
        return await store.update_voice(session, replace(voice, examined=voice.submitted))
    if findings.judgement.reasons:
        return await _reject(session, voice, findings.judgement.reasons, findings.judgement.quality)
    old_preview = [voice.preview_key] if voice.preview_key else []
    wanted = replace(
        voice,
        **_sound(voice, findings),
        status=domain.Status.READY,
        reasons=[],
        quality=findings.judgement.quality,
        preview_key=preview_key,
        preview_sha256=preview_sha256,
        discarded_keys=[*voice.discarded_keys, *old_preview],
        examined=voice.submitted,
        revision=voice.revision + was_ready,
    )
    written = await store.update_voice(session, wanted)
    (telling.updated if was_ready else telling.ready)(session, written)
    return written


# Any: fields of a voice by their names.
def _sound(voice: domain.Voice, findings: _Findings) -> dict[str, Any]:
    if findings.matched is None:
        plain = profile_for_language(voice.language).to_settings()
        return {"engine_settings": plain, "matching": {"method": recordings.PLAIN, "reason": findings.plainly}}
    report = {"method": recordings.MATCHED, **findings.matched.report}
    return {"engine_settings": findings.matched.engine_settings, "matching": report}


async def _reject(
    session: AsyncSession, voice: domain.Voice, reasons: list[dict[str, Any]], quality: dict[str, Any] | None
) -> domain.Voice:
    wanted = replace(voice, status=domain.Status.REJECTED, reasons=reasons, quality=quality, examined=voice.submitted)
    written = await store.update_voice(session, wanted)
    telling.rejected(session, written)
    return written


async def _tidy(deps: Workshop, org_id: UUID, voice: domain.Voice | None, preview_key: str) -> None:
    """Remove the objects that nobody will name any more."""
    unused = [] if voice is not None and voice.preview_key == preview_key else [preview_key]
    discarded = voice.discarded_keys if voice is not None else []
    for key in (*unused, *discarded):
        await deps.objects.delete(key)
    if voice is not None and discarded:
        async with deps.database.transaction(org_id) as session:
            await store.forget_discarded(session, voice.id, discarded)


async def give_up(deps: Workshop, delivery: Delivery[VoiceSubmitted]) -> None:
    """Say of a voice whose recordings could not be examined that it is none; one that is ready stays so."""
    org_id, voice_id = _ids(delivery.event)
    async with deps.database.transaction(org_id) as session:
        voice = await store.lock_custom_voice(session, org_id, voice_id)
        if voice is None or voice.is_examined:
            return
        if voice.status is domain.Status.READY:
            await store.update_voice(session, replace(voice, examined=voice.submitted))
        else:
            reason = {"code": "not_examined", "message": _NOT_EXAMINED, "sample_id": None}
            await _reject(session, voice, [reason], voice.quality)


def _ids(event: VoiceSubmitted) -> tuple[UUID, UUID]:
    org_id, voice_id = parse_id(event.org_id), parse_id(event.voice_id)
    if org_id is None or voice_id is None:
        raise Permanent("the event names no voice of an organisation")
    return org_id, voice_id
