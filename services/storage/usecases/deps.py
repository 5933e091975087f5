"""What the use cases work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from libs.database import Database
from libs.objectstore import ObjectStore

ARRIVAL_SECONDS = 5.0
"""How long a request waits for the news of audio that was made: the way of an event, and a restart of this service."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with."""

    database: Database
    objects: ObjectStore
    clock: Callable[[], datetime]
    arrival_seconds: float = ARRIVAL_SECONDS
