"""Doing a request once: taking it, saying that it is still being done, and recording what it was answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database, Driver, is_database_away
from libs.ids import new_id
from services.gateway.adapters.sealing import Sealing, Unreadable
from services.gateway.domain.idempotency import LEASE, Course, Outcome, Record, Repeatable, course_of, kept_headers
from services.gateway.store import idempotency as store
from services.gateway.store.idempotency import Taken

logger = logging.getLogger(__name__)

RENEW_SECONDS = LEASE.total_seconds() / 4
EXPIRE_SECONDS = 60.0
EXPIRE_AT_ONCE = 500
"""Rows that one statement removes: some milliseconds."""

_T = TypeVar("_T")
Headers = list[tuple[bytes, bytes]]


_done_here: ContextVar[Taken | None] = ContextVar("_done_here", default=None)


class DoneWithItsEffect:
    """Notes in every transaction that a request of the gateway's own routes commits that the request is done.

    Whatever becomes of the gateway, it is not done a second time.
    """

    async def before_commit(self, _session: AsyncSession, driver: Driver) -> None:
        """Note it."""
        taken = _done_here.get()
        if taken is not None:
            await store.commit(driver, taken)

    async def after_commit(self, _session: AsyncSession) -> None:
        """Nothing is left to be done."""


class Requests:
    """Requests that are done once, across all replicas: PostgreSQL decides who does one."""

    def __init__(self, database: Database, clock: Callable[[], datetime], sealing: Sealing) -> None:
        """`clock` is the database's, on which all replicas agree."""
        self._database = database
        self._clock = clock
        self._sealing = sealing
        self._running: dict[UUID, tuple[UUID, float]] = {}

    async def take(self, request: Repeatable) -> Taken | Record:
        """Return the request as ours to do, or what is remembered of it."""
        now = self._clock()
        while True:
            async with self._database.transaction(request.org_id) as session:
                taken = await store.take(session, request, resource_id=new_id(now), attempt=new_id(), now=now)
                if taken is not None:
                    return taken
                record = await store.get_record(session, request)
            if record is not None:
                return record

    @asynccontextmanager
    async def doing(self, taken: Taken, *, is_done_here: bool) -> AsyncIterator[None]:
        """Keep a request ours for as long as the block runs; `is_done_here`: it may change what this database holds."""
        self._running[taken.attempt] = (taken.request.org_id, time.monotonic())
        token = _done_here.set(taken if is_done_here else None)
        try:
            yield
        finally:
            _done_here.reset(token)
            del self._running[taken.attempt]

    async def answered(self, taken: Taken, status: int, headers: Headers, body: bytes | None) -> bool:
        """Record an answer, with its `body` or, without one, as one that is made again from what the request has made.

        False when the request is somebody else's by now. An answer that cannot be recorded is still the answer: a
        repetition then finds what was made.
        """
        sealed = None
        if body is not None:
            content = orjson.dumps(
                [[name.decode("latin-1"), value.decode("latin-1")] for name, value in kept_headers(headers)]
            )
            sealed = self._sealing.seal(content + b"\n" + body, taken.request.org_id, taken.request.key_hash)

        async def record() -> bool:
            async with self._database.transaction(taken.request.org_id) as session:
                return await store.save_answer(session, taken, status, sealed, self._clock())

        return await _unless_away(record, otherwise=True)

    async def ended(self, taken: Taken, outcome: Outcome) -> None:
        """Note that a request was done without an answer that is to be given again."""
        _done_here.set(None)

        async def note() -> None:
            async with self._database.transaction(taken.request.org_id) as session:
                if outcome is Outcome.UNCERTAIN:
                    await store.release(session, taken, self._clock())
                else:
                    await store.forget(session, taken)

        # Unless it is noted, the lease runs out.
        await _unless_away(note, otherwise=None)

    async def joined(self, request: Repeatable, record: Record, outcome: Outcome) -> None:
        """Note how a request ended that was done beside an equal one: if that was cut off, this was its repetition."""

        async def note() -> None:
            async with self._database.transaction(request.org_id) as session:
                await store.forget_joined(session, request, record.resource_id)

        if outcome is Outcome.OVER:
            await _unless_away(note, otherwise=None)

    def course_of(self, request: Repeatable, record: Record) -> Course:
        """Return what becomes of a request that was not ours to do."""
        return course_of(request, record, self._clock())

    def kept_answer(self, request: Repeatable, record: Record) -> tuple[Headers, bytes] | None:
        """Return the headers and the body that were recorded; None when they cannot be read any more."""
        assert record.answer is not None
        try:
            content = self._sealing.open(record.answer, request.org_id, request.key_hash)
        except Unreadable:
            return None
        headers, _, body = content.partition(b"\n")
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in orjson.loads(headers)], body

    async def renew(self) -> None:
        """Keep what takes long ours, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await _unless_away(partial(self.renew_running, since=time.monotonic() - RENEW_SECONDS), otherwise=None)

    async def renew_running(self, *, since: float) -> None:
        """Say that what began before `since` and still runs is still being done."""
        attempts = {attempt: org_id for attempt, (org_id, began) in self._running.items() if began < since}
        if not attempts:
            return
        async with self._database.transaction(*set(attempts.values())) as session:
            await store.renew(session, list(attempts), self._clock())

    async def expire(self) -> None:
        """Remove what has expired, until cancelled."""
        while True:
            more = await _unless_away(self.expire_some, otherwise=False)
            if not more:
                await asyncio.sleep(EXPIRE_SECONDS)

    async def expire_some(self) -> bool:
        """Remove some of what has expired; say whether there may be more."""
        async with self._database.transaction() as session:
            return await store.expire(session, self._clock(), EXPIRE_AT_ONCE) == EXPIRE_AT_ONCE


async def _unless_away(action: Callable[[], Awaitable[_T]], otherwise: _T) -> _T:
    try:
        return await action()
    except Exception as error:
        if not is_database_away(error):
            raise
        logger.warning("a request's record waits for the database", extra={"error": type(error).__name__})
        return otherwise
