"""Audio goes when it was kept for as long as the plan says; the generations stay, with their texts."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import AudioExpired
from libs.database import Database, is_database_away
from services.generation.domain.retention import GRACE, Retention
from services.generation.store import chunks, holding, renditions
from services.generation.store import retention as store

logger = logging.getLogger(__name__)

AT_ONCE = 100


async def expire_audio(database: Database, retention: Retention, *, now: datetime) -> int:
    """Let go of all audio that was kept for long enough by now, and tell; return how many renditions it was."""
    expired = 0
    for plan, before in retention.expired_before(now).items():
        after = None
        while True:
            async with database.transaction() as session:
                orgs = await store.list_organizations(session, plan, since=now - GRACE, after=after, limit=AT_ONCE)
            if not orgs:
                break
            for org_id in orgs:
                expired += await _expire_of(database, org_id, before=before, now=now)
            after = orgs[-1]
    return expired


async def _expire_of(database: Database, org_id: UUID, *, before: datetime, now: datetime) -> int:
    expired = 0
    while True:
        async with database.transaction(org_id) as session:
            found = await store.list_expired(session, org_id, before=before, limit=AT_ONCE)
        if not found:
            return expired
        for rendition_id in found:
            expired += await _expire(database, org_id, rendition_id, before=before, now=now)


async def _expire(database: Database, org_id: UUID, rendition_id: UUID, *, before: datetime, now: datetime) -> bool:
    async with database.transaction(org_id) as session:
        rendition = (await holding.hold_renditions(session, org_id, [rendition_id])).get(rendition_id)
        # Somebody may have asked for the same just now.
        if rendition is None or not await store.is_expired(session, org_id, rendition_id, before=before):
            return False
        await store.clear_audio(session, rendition_id)
        keys = await chunks.release_chunks(session, rendition)
        keys += await renditions.delete_rendition(session, rendition)
        outbox.add(
            session,
            AudioExpired(audio_id=str(rendition_id), org_id=str(org_id), object_keys=sorted(keys), expired_at=now),
        )
    return True


class Retainer:
    """Lets audio go, now and then, for as long as the process runs."""

    def __init__(
        self, database: Database, retention: Retention, *, every: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._retention = retention
        self._every = every
        self._clock = clock

    async def run(self) -> None:
        """Look until cancelled; a database that is away is asked again the next time."""
        while True:
            # Not all processes at once, and not whenever the system starts.
            await asyncio.sleep(self._every.total_seconds() * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            try:
                expired = await expire_audio(self._database, self._retention, now=self._clock())
            except Exception as error:
                if not is_database_away(error):
                    raise
                logger.warning("audio could not be let go", extra={"error": type(error).__name__})
            else:
                logger.info("audio has expired", extra={"renditions": expired})
