"""News of what was changed about keys, for a replica that remembers some."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database, Driver, driver_of, is_database_away
from libs.messaging import Bus, heed, signal
from services.gateway.adapters.known_keys import KeyChange, KnownKeys
from services.gateway.domain.signals import KEYS

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How long after one look at what was changed the next one comes, should no signal come before."""
_CHANGED = "key_changes.changed"

# In one statement, so that both are of one snapshot: what is not seen now is seen from that horizon on.
_LOOK = """
select pg_snapshot_xmin(pg_current_snapshot())::text as horizon, c.seq, c.org_id, c.key_id, c.user_id
from (select 1) one left join key_changes_since($1::text::xid8) c on true
"""


def tell_changed_keys(session: AsyncSession) -> None:
    """Tell all replicas at once, when the transaction of `session` has committed; without this they find out later."""
    session.info[_CHANGED] = True


class KeySignals:
    """Tells all replicas when a transaction that changed keys has committed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def before_commit(self, session: AsyncSession, driver: Driver) -> None:
        """Leave the transaction as it is."""

    async def after_commit(self, session: AsyncSession) -> None:
        """Tell; a signal that is lost costs the others one more look."""
        if session.info.pop(_CHANGED, False):
            await signal(self._bus, KEYS)


class KeyChanges:
    """Looks at what was changed about keys, and has it forgotten: now and then, and when a signal comes."""

    def __init__(self, database: Database, keys: KnownKeys, clock: Callable[[], float]) -> None:
        """`clock` is that of `keys`."""
        self._database = database
        self._keys = keys
        self._clock = clock
        self._woken = asyncio.Event()
        self._horizon: str | None = None
        self._seen: frozenset[int] = frozenset()
        self._hearers: list[Callable[[Sequence[KeyChange]], None]] = []

    def on_change(self, hear: Callable[[Sequence[KeyChange]], None]) -> None:
        """Call `hear`, too, with what was changed."""
        self._hearers.append(hear)

    async def listen(self, bus: Bus) -> None:
        """Begin to look whenever a signal comes, and when the broker was away."""
        await heed(bus, KEYS, lambda _detail: self._woken.set())
        bus.on_reconnect(self._woken.set)

    async def run(self) -> None:
        """Look, until cancelled. While the database is away nothing remembered is trusted for longer than a moment."""
        away = False
        while True:
            self._woken.clear()
            try:
                await self.look()
                away = False
            except Exception as error:
                if not is_database_away(error):
                    raise
                if not away:
                    logger.warning("changes of keys cannot be looked at", extra={"error": type(error).__name__})
                away = True
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Look once at what was changed since the last time."""
        began = self._clock()
        async with self._database.transaction() as session:
            rows = await driver_of(session).fetch(_LOOK, self._horizon)
        horizon: str = rows[0]["horizon"]
        if self._horizon is None or int(horizon) < int(self._horizon):
            # The first look, or another database than before: one that was restored counts transactions anew.
            self._keys.forget_all()
        changed = [row for row in rows if row["seq"] is not None]
        new = [row for row in changed if row["seq"] not in self._seen]
        changes = [KeyChange(row["org_id"], row["key_id"], row["user_id"]) for row in new]
        self._keys.forget(changes)
        for hear in self._hearers if changes else ():
            hear(changes)
        self._horizon = horizon
        self._seen = frozenset(row["seq"] for row in changed)
        self._keys.trust(began)
