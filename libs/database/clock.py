"""What time it is, by the database: processes whose machines' clocks differ agree on it."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

from opentelemetry import metrics

from libs.database.engine import Database
from libs.database.errors import is_database_away

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
"""How often the database is asked; in between, a clock that nobody sets counts on."""
RETRY_SECONDS = 1.0
UNSURE_SECONDS = 1.0
"""An answer that took longer says too little about when it was given."""
REMARKABLE = timedelta(seconds=5)
"""From which difference on the machine's clock is worth a line in the log."""

_offset = metrics.get_meter("antiphon.database").create_gauge(
    "antiphon.clock.offset", unit="s", description="How far the machine's clock is ahead of the database's"
)


class DatabaseClock:
    """Call it for the time. Whatever one process writes and another one judges is dated by this clock.

    Until the database has answered for the first time it is the machine's own.
    """

    def __init__(self, database: Database) -> None:
        """Asks nothing before `look`."""
        self._database = database
        self._known: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """Return the time, with its zone: UTC."""
        if self._known is None:
            return datetime.now(UTC)
        moment, counted = self._known
        return moment + timedelta(seconds=time.monotonic() - counted)

    async def look(self) -> bool:
        """Ask the database for the time; say whether it gave an answer that can be used."""
        try:
            began = time.monotonic()
            moment = await self._database.now()
            ended = time.monotonic()
        except Exception as error:
            if not is_database_away(error):
                raise
            logger.warning("the database does not say what time it is", extra={"error": type(error).__name__})
            return False
        if ended - began > UNSURE_SECONDS:
            return False
        # It was read somewhere between question and answer.
        self._known = (moment, (began + ended) / 2)
        self._compare()
        return True

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            seconds = LOOK_SECONDS if await self.look() else RETRY_SECONDS
            await asyncio.sleep(seconds)

    def _compare(self) -> None:
        ahead = datetime.now(UTC) - self()
        _offset.set(ahead.total_seconds())
        if abs(ahead) > REMARKABLE:
            logger.warning(
                "this machine's clock is not the database's; the database's counts",
                extra={"ahead_seconds": round(ahead.total_seconds(), 1)},
            )
