"""The client that the checks use, made as its version wants it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from elevenlabs.client import ElevenLabs
from elevenlabs.core import ApiError as ApiError
from elevenlabs.environment import ElevenLabsEnvironment

OLD = "elevenlabs-1"
VOICE = "Emma"
"""A voice that every installation has, by its name."""


def client_of(given: dict[str, Any], api_key: str | None = None, url: str | None = None) -> Any:  # Any: either version
    """Return a client of the gateway; the old version takes scheme and port only as an environment."""
    base = f"{url or given['url']}/elevenlabs"
    key = api_key or given["api_key"]
    if given["version"] == OLD:
        secure = base.replace("http", "ws", 1)
        return ElevenLabs(environment=ElevenLabsEnvironment(base=base, wss=secure), api_key=key)
    return ElevenLabs(base_url=base, api_key=key)


def any_voice(client: Any) -> Any:  # Any: either version
    """Return a system voice as the client sees it."""
    return next(voice for voice in client.voices.search(page_size=100).voices if voice.name == VOICE)


def is_id(text: str) -> bool:
    """Say whether a text is one of our ids."""
    return str(UUID(text)) == text
