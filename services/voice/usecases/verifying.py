"""Reading recordings and previews of voices once more: whether they are there, and whether they are what they were."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

from libs.database import Database
from libs.ids import SYSTEM_ORG
from libs.objectstore import ObjectStore
from libs.objectstore.checking import Condition, Pace, condition_of, patiently
from libs.speech.catalogue.voice import SystemVoice
from libs.speech.engine import SpeechEngine
from services.voice import domain, store
from services.voice.usecases import telling
from services.voice.usecases.seeding import keep_preview

VOICES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class VoiceFlaw:
    """An object of a voice that is not there, or is not what it was: a recording, or with None the preview.

    It `can_be_made` again if it is a preview, and all that it is made of is there.
    """

    voice: domain.Voice
    sample_id: UUID | None
    object_key: str
    condition: Condition
    can_be_made: bool


@dataclass(slots=True)
class VerifiedVoices:
    """What was looked at so far."""

    recordings: int = 0
    previews: int = 0
    bytes: int = 0
    """Of the recordings."""
    flaws: list[VoiceFlaw] = field(default_factory=list)


async def verify_voices(database: Database, objects: ObjectStore, pace: Pace) -> AsyncIterator[VerifiedVoices]:
    """Read all objects of the voices that `database` shows; yields what was found so far, now and then.

    Of previews that an earlier release made it is only seen whether they are there. Safe beside a system that runs.
    Raises ObjectStoreUnavailable when the object store stays away.
    """
    done = VerifiedVoices()
    after = None
    while True:
        async with database.transaction() as session:
            page = await store.list_all(session, after=after, limit=VOICES_AT_ONCE)
            samples = {voice.id: await store.list_samples(session, voice.id) for voice in page}
        if not page:
            break
        for voice in page:
            found = await _flaws(objects, voice, samples[voice.id], pace)
            done.flaws += await _still_there(database, voice, found)
            done.recordings += len(samples[voice.id])
            done.previews += _preview_key(voice) is not None
            done.bytes += sum(sample.size_bytes for sample in samples[voice.id])
        after = page[-1].id
        yield done
    yield done


def _preview_key(voice: domain.Voice) -> str | None:
    return voice.object_key if voice.variant is domain.Variant.SYSTEM else voice.preview_key


async def _flaws(
    objects: ObjectStore, voice: domain.Voice, samples: Sequence[domain.Sample], pace: Pace
) -> list[VoiceFlaw]:
    flaws = []
    for sample in samples:
        read = partial(condition_of, objects, sample.object_key, sample.sha256, sample.size_bytes, pace)
        if (condition := await patiently(read)) is not None:
            flaws.append(VoiceFlaw(voice, sample.id, sample.object_key, condition, can_be_made=False))
    if (key := _preview_key(voice)) is not None:
        condition = await patiently(partial(_condition_of_preview, objects, key, voice.preview_sha256, pace))
        if condition is not None:
            flaws.append(VoiceFlaw(voice, None, key, condition, can_be_made=not flaws))
    return flaws


async def _condition_of_preview(objects: ObjectStore, key: str, sha256: str | None, pace: Pace) -> Condition | None:
    if sha256 is None:
        return None if await objects.exists(key) else "missing"
    return await condition_of(objects, key, sha256, None, pace)


async def _still_there(database: Database, voice: domain.Voice, flaws: Sequence[VoiceFlaw]) -> list[VoiceFlaw]:
    if not flaws:
        return []
    async with database.transaction() as session:
        keys = {one.object_key for one in await store.list_samples(session, voice.id)}
        now = await store.get_voice(session, voice.org_id or SYSTEM_ORG, voice.id)
    keys |= {key for key in (_preview_key(now) if now else None,) if key is not None}
    return [flaw for flaw in flaws if flaw.object_key in keys]


async def order_preview(database: Database, flaw: VoiceFlaw) -> bool:
    """Have a custom voice's recordings matched once more, which makes its preview; it is ready as before meanwhile.

    False when that is not needed any more, or under way.
    """
    assert flaw.voice.org_id is not None
    async with database.transaction(flaw.voice.org_id) as session:
        voice = await store.lock_custom_voice(session, flaw.voice.org_id, flaw.voice.id)
        if voice is None or voice.preview_key != flaw.object_key or not voice.is_examined:
            return False
        wanted = replace(voice, submitted=voice.submitted + 1)
        telling.submitted(
            session, await store.update_voice(session, wanted), await store.list_samples(session, voice.id)
        )
    return True


async def speak_preview(
    database: Database, objects: ObjectStore, engine: SpeechEngine, catalogue: Iterable[SystemVoice], flaw: VoiceFlaw
) -> bool:
    """Speak the preview of a system voice again with an engine that is started; False if the catalogue has it not."""
    entry = next((one for one in catalogue if one.id == flaw.voice.id), None)
    if entry is None:
        return False
    sha256 = await keep_preview(objects, engine, entry)
    async with database.transaction(SYSTEM_ORG) as session:
        await store.save_preview(session, flaw.voice.id, sha256)
    return True
