"""The time zones that there are: those of the database, which is the one that reckons with them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from libs.database import Database
from services.analytics import store
from services.analytics.domain.reports import UTC_ZONE, UnknownZone


class Zones:
    """Knows the names of time zones once it was asked for one; finding them takes the database tens of milliseconds."""

    def __init__(self) -> None:
        """None is known at first."""
        self._names: frozenset[str] = frozenset((UTC_ZONE,))

    async def require(self, database: Database, name: str) -> None:
        """Raise UnknownZone where there is none of this name."""
        if name not in self._names and len(self._names) == 1:
            async with database.apart() as session:
                self._names |= await store.list_zones(session)
        if name not in self._names:
            raise UnknownZone

    async def today(self, database: Database, now: datetime, name: str) -> date:
        """Return which day it is in a zone. Raises UnknownZone."""
        await self.require(database, name)
        if name == UTC_ZONE:
            return now.astimezone(UTC).date()
        async with database.apart() as session:
            return await store.get_local_day(session, now, name)
