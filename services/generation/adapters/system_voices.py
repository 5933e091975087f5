"""The system's voices, remembered for a few seconds: most requests name one, and they hardly ever change."""

from __future__ import annotations

import time
from uuid import UUID

from services.generation.domain.requests import Voice

KEEP_SECONDS = 5.0


class SystemVoices:
    """Voices that belong to everybody, by id; there are a few dozen of them."""

    def __init__(self) -> None:
        """Nothing is known at first."""
        self._known: dict[UUID, tuple[float, Voice]] = {}

    def get(self, voice_id: UUID) -> Voice | None:
        """Return a voice that was looked up a moment ago, or None."""
        until, voice = self._known.get(voice_id, (0.0, None))
        return voice if time.monotonic() < until else None

    def keep(self, voice: Voice) -> None:
        """Remember a voice if it is the system's; those of organisations may be deleted at any moment."""
        if voice.org_id is None:
            self._known[voice.id] = (time.monotonic() + KEEP_SECONDS, voice)
