"""What a speech worker works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from libs.database import Database
from libs.messaging import Bus
from libs.objectstore import ObjectStore
from libs.speech.engine import EngineUnavailable, SpeechEngine
from services.generation.rendering.recent import Recent


@dataclass(frozen=True, slots=True)
class WorkerDeps:
    """What a speech worker works with; `worker_id` is what the queue knows it by, `engines` are those that it has."""

    worker_id: UUID
    database: Database
    objects: ObjectStore
    bus: Bus
    engines: Mapping[str, SpeechEngine]
    clock: Callable[[], datetime]
    recent: Recent = field(default_factory=Recent)

    def ready_engines(self) -> list[str]:
        """Return the names of the engines that can speak right now."""
        return [name for name, engine in self.engines.items() if engine.is_ready]

    def engine(self, name: str) -> SpeechEngine:
        """Return an engine by its name. Raises EngineUnavailable, for another worker may have it."""
        try:
            return self.engines[name]
        except KeyError:
            raise EngineUnavailable(f"this worker has no engine {name!r}") from None
