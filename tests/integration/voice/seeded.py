"""The rows of everybody's voices, and custom ones that are ready, for tests in which nobody listens to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from libs.ids import SYSTEM_ORG
from libs.speech.catalogue import SYSTEM_VOICES
from services.voice import domain, store
from services.voice.usecases import Deps
from tests.integration.voice.conftest import Client


async def seed_rows(deps: Deps) -> None:
    now = deps.clock()
    rows = [
        (domain.system_voice(entry, engine="espeak-ng", now=now), domain.fingerprint(entry)) for entry in SYSTEM_VOICES
    ]
    async with deps.database.transaction(SYSTEM_ORG) as session:
        await store.save_system_voices(session, rows)


async def made_ready(deps: Deps, client: Client, voice_id: str) -> None:
    """What examining a voice ends in, without anything examined."""
    async with deps.database.transaction(client.org_id) as session:
        voice = await store.lock_custom_voice(session, client.org_id, UUID(voice_id))
        assert voice is not None
        await store.update_voice(session, replace(voice, status=domain.Status.READY, examined=voice.submitted))


async def ready_voice(deps: Deps, client: Client, name: str, **fields: str) -> dict[str, Any]:
    """A custom voice that can be spoken with."""
    answer = await client.create(name, fields)
    assert answer.status == 201, answer.body
    voice = answer.body
    await made_ready(deps, client, voice["id"])
    return await client.voice(voice["id"])
