"""What the use cases work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from libs.database import Database
from libs.messaging import Bus
from libs.objectstore import ObjectStore
from libs.web.known import Known
from services.generation.adapters import Finishes, Progress, Quota, SystemVoices
from services.generation.usecases.admission import Admission
from services.generation.usecases.models import Models
from services.generation.usecases.offering import Offers


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with."""

    database: Database
    objects: ObjectStore
    bus: Bus
    quota: Quota
    finishes: Finishes
    progress: Progress
    offers: Offers
    admission: Admission
    models: Models
    system_voices: SystemVoices
    known_audio: Known[str]
    clock: Callable[[], datetime]
