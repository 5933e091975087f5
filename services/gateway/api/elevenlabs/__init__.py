"""ElevenLabs' API, as its clients call it."""

from __future__ import annotations

from fastapi import APIRouter

from services.gateway.api.elevenlabs import account, alignment, dictionaries, history, speech, voices
from services.gateway.domain.elevenlabs.table import PREFIX

router = APIRouter()
for part in (speech, alignment, voices, history, account, dictionaries):
    router.include_router(part.router, prefix=PREFIX)
    # At the root as well: where one of our own routes has the path, the door knows that it is that one.
    router.include_router(part.router, include_in_schema=False)

__all__ = ["router"]
