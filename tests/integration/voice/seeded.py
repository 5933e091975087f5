"""The rows of everybody's voices, for tests in which nobody listens to them."""

from __future__ import annotations

from libs.ids import SYSTEM_ORG
from libs.speech.catalogue import SYSTEM_VOICES
from services.voice import domain, store
from services.voice.usecases import Deps


async def seed_rows(deps: Deps) -> None:
    now = deps.clock()
    rows = [
        (domain.system_voice(entry, engine="espeak-ng", now=now), domain.fingerprint(entry)) for entry in SYSTEM_VOICES
    ]
    async with deps.database.transaction(SYSTEM_ORG) as session:
        await store.save_system_voices(session, rows)
