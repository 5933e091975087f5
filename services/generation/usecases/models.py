"""The engines that the speech workers have, as this service needs to know them for every request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from libs.database import Database
from libs.speech.engine import UnknownEngineVoice
from libs.speech.languages import profile_for_language
from services.generation.domain.errors import LanguageNotSpoken
from services.generation.store import models

_FRESH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Model:
    """An engine: its version, and which parameters of a request change what it speaks."""

    id: str
    version: str
    honours: frozenset[str]
    voices: tuple[str, ...] = ()

    # Any: JSON that only the engine understands.
    def in_language(self, settings: dict[str, Any], language: str) -> dict[str, Any]:
        """Return a voice's settings for a text in another language than the voice's. Raises LanguageNotSpoken."""
        if "engine_voice" not in settings:
            return settings | {"language": language}
        try:
            profile = profile_for_language(language)
        except UnknownEngineVoice as error:
            raise LanguageNotSpoken(language) from error
        return settings | {"engine_voice": profile.engine_voice, "language": language}


class Models:
    """The engines by name, looked up at most every few seconds."""

    def __init__(self, database: Database) -> None:
        """Nothing is known before somebody asks."""
        self._database = database
        self._known: dict[str, Model] = {}
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def get(self, engine: str) -> Model:
        """Return an engine; one that no worker has told of yet has no version and honours nothing."""
        # Whoever asks during the first look waits for it: without a version, equal requests would not look equal.
        async with self._looking:
            if asyncio.get_running_loop().time() - self._looked_at > _FRESH_SECONDS:
                await self._look()
        return self._known.get(engine) or Model(engine, "", frozenset())

    async def _look(self) -> None:
        async with self._database.transaction() as session:
            rows = await models.list_models(session)
        self._known = {
            row.id: Model(
                row.id,
                row.version,
                frozenset(row.description.get("honours", ())),
                tuple(row.description.get("voices", ())),
            )
            for row in rows
        }
        self._looked_at = asyncio.get_running_loop().time()
