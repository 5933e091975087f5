"""Objects that nothing refers to: what workers left behind when they, or what they need, failed at the wrong moment."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import ObjectsAbandoned
from libs.database import Database, is_database_away
from libs.objectstore import Listed, ObjectStore, ObjectStoreUnavailable
from services.generation.domain.speech import OBJECTS, Place, place_of
from services.generation.store import references

logger = logging.getLogger(__name__)

OBJECTS_AT_ONCE = 500
PAUSE_SECONDS = 0.1
"""After so many objects: a sweep has a day, and others work meanwhile."""


@dataclass(slots=True)
class Swept:
    """What was looked at so far, and what nothing refers to; sizes in bytes."""

    objects: int = 0
    strays: int = 0
    stray_bytes: int = 0


async def sweep(
    database: Database,
    objects: ObjectStore,
    *,
    grace: timedelta,
    clock: Callable[[], datetime],
    tell: bool = True,
    pause_seconds: float = PAUSE_SECONDS,
) -> AsyncIterator[Swept]:
    """Look at every object of this service and tell storage of those that nothing refers to; yields now and then.

    What is younger than `grace` is left alone: it is written down only once it is there. Raises ObjectStoreUnavailable.
    """
    done = Swept()
    after = ""
    while page := await objects.list_page(OBJECTS, after=after, limit=OBJECTS_AT_ONCE):
        after = page[-1].key
        before = clock() - grace
        for org_id, found in _by_organization(page, before).items():
            strays = await _strays(database, org_id, found, now=clock(), tell=tell)
            done.strays += len(strays)
            done.stray_bytes += sum(one.size for one in strays)
        done.objects += len(page)
        yield done
        await asyncio.sleep(pause_seconds)
    yield done


def _by_organization(page: Sequence[Listed], before: datetime) -> dict[UUID, list[tuple[Listed, Place]]]:
    found = defaultdict(list)
    for one in page:
        place = place_of(one.key)
        if place is not None and one.modified < before:
            found[place.org_id].append((one, place))
    return found


async def _strays(
    database: Database, org_id: UUID, found: Sequence[tuple[Listed, Place]], *, now: datetime, tell: bool
) -> list[Listed]:
    async with database.transaction(org_id) as session:
        referenced = await references.list_referenced(session, org_id, [place for _, place in found])
        strays = [one for one, _ in found if one.key not in referenced]
        if strays and tell:
            keys = [one.key for one in strays]
            outbox.add(session, ObjectsAbandoned(org_id=str(org_id), object_keys=keys, found_at=now))
    return strays


class Sweeper:
    """Sweeps now and then, for as long as the process runs."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        *,
        every: timedelta,
        grace: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._objects = objects
        self._every = every
        self._grace = grace
        self._clock = clock

    async def run(self) -> None:
        """Sweep until cancelled; what is away is tried again the next time."""
        while True:
            # Not all processes at once, and not whenever the system starts.
            await asyncio.sleep(self._every.total_seconds() * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            try:
                await self._sweep()
            except Exception as error:
                if not (isinstance(error, ObjectStoreUnavailable) or is_database_away(error)):
                    raise
                logger.warning("objects could not be swept", extra={"error": type(error).__name__})

    async def _sweep(self) -> None:
        found = Swept()
        async for done in sweep(self._database, self._objects, grace=self._grace, clock=self._clock):
            found = done
        logger.info("objects were swept", extra={"objects": found.objects, "strays": found.strays})
