"""How everybody's voices come to be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

from libs.ids import SYSTEM_ORG
from libs.objectstore import ObjectStore
from libs.speech.catalogue.voice import SystemVoice
from libs.speech.encoding import Joiner, parse_output_format
from libs.speech.engine import RenderJob, SpeechEngine
from services.voice import domain, store
from services.voice.usecases import telling
from services.voice.usecases.deps import Deps


async def seed_system_voices(deps: Deps, engine: SpeechEngine, catalogue: Sequence[SystemVoice]) -> list[domain.Voice]:
    """Add or renew the voices that everybody has, each with a spoken preview; return those that changed.

    `engine` is started only when something is missing, and closed afterwards. Any number of processes
    may do this at once: one of them writes each voice and tells of it.
    """
    async with deps.database.transaction(SYSTEM_ORG) as session:
        known = await store.get_catalogue_fingerprints(session)
    missing = [(entry, domain.fingerprint(entry)) for entry in catalogue]
    missing = [(entry, wanted) for entry, wanted in missing if known.get(entry.id) != wanted]
    if not missing:
        return []
    previews = await _keep_previews(deps.objects, engine, [entry for entry, _ in missing])
    now = deps.clock()
    rows = [
        (domain.system_voice(entry, engine=engine.name, preview_sha256=previews[entry.id], now=now), wanted)
        for entry, wanted in missing
    ]
    async with deps.database.transaction(SYSTEM_ORG) as session:
        changed = await store.save_system_voices(session, rows)
        for voice in changed:
            if voice.revision == 1:
                telling.created(session, voice)
            telling.ready(session, voice)
    return changed


async def _keep_previews(objects: ObjectStore, engine: SpeechEngine, entries: Iterable[SystemVoice]) -> dict[UUID, str]:
    await engine.start()
    try:
        async with asyncio.TaskGroup() as group:
            kept = {entry.id: group.create_task(keep_preview(objects, engine, entry)) for entry in entries}
    finally:
        await engine.close()
    return {voice_id: one.result() for voice_id, one in kept.items()}


async def keep_preview(objects: ObjectStore, engine: SpeechEngine, entry: SystemVoice) -> str:
    """Speak the preview of a voice that everybody has, and keep it; return its SHA-256 in hexadecimal."""
    form = parse_output_format("mp3")
    spoken = await engine.render(RenderJob(entry.preview_text, entry.profile.to_settings(), form))
    joiner = Joiner(form, spoken.samples)
    audio = b"".join((joiner.head(), joiner.add(spoken.segment), joiner.finish()))
    return await objects.put(domain.object_key(entry.id, None), audio, form.content_type)
