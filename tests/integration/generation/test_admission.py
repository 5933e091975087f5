"""More than can be spoken in a time that a client would wait is not taken on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database
from libs.ids import new_id
from services.generation.domain.errors import Overloaded
from services.generation.domain.load import Limits, Pace
from services.generation.domain.requests import Mode
from services.generation.store import workload
from services.generation.usecases.admission import Admission
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text
from tests.support.polling import eventually


@asynccontextmanager
async def watching(
    world: World, limits: Limits, *, pace: float, database: Database | None = None
) -> AsyncIterator[World]:
    """The world while the queue is looked at, with workers of that many characters a second."""
    async with world.database.transaction() as session:
        await workload.save_worker(session, new_id(), processes=1, pace=Pace(0.0, 1 / pace))
    admission = Admission(database or world.database, limits)
    task = asyncio.create_task(admission.watch())
    try:
        yield replace(world, deps=replace(world.deps, admission=admission))
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def refused(world: World, mode: Mode = "interactive") -> Overloaded | None:
    try:
        await world.ask(long_text(400), mode=mode, use_cache=False)
    except Overloaded as error:
        return error
    return None


async def test_a_full_queue_refuses_whoever_filled_it_and_says_when_to_come_again(world: World) -> None:
    async with watching(world, Limits(interactive_seconds=10, job_seconds=1_000), pace=100.0) as small:
        overloaded = await eventually(lambda: refused(small), what="a refusal")
        assert overloaded is not None
        assert overloaded.waiting_seconds > 10
        assert overloaded.retry_after_seconds == pytest.approx(overloaded.waiting_seconds - 10, abs=1)
        waiting = await world.rows("select sum(characters) as characters from speech_queue")
        assert 1_000 < waiting[0].characters < 3_000
        asked = len(world.analytics.asked)
        assert await refused(small) is not None
        assert len(world.analytics.asked) == asked, "what is refused asks for no quota"
        assert await refused(small, mode="job") is None, "jobs have a limit of their own"
        assert await refused(small.elsewhere()) is None, "others have nothing waiting"


async def test_there_is_room_again_once_the_queue_is_empty(world: World) -> None:
    async with watching(world, Limits(interactive_seconds=10, job_seconds=1_000), pace=100.0) as small:
        await eventually(lambda: refused(small), what="a refusal")
        await world.change("delete from speech_queue")

        async def has_room() -> bool:
            return await refused(small) is None

        await eventually(has_room, what="room")


class Busy:
    """A database of which no connection is free for a while."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds

    @asynccontextmanager
    async def transaction(self, *org_ids: UUID) -> AsyncIterator[AsyncSession]:
        await asyncio.sleep(self._seconds)
        async with self._database.transaction(*org_ids) as session:
            yield session


class Away:
    """A database of which no connection comes, however long one waits."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.asked = 0

    def transaction(self, *_org_ids: UUID) -> Away:
        return self

    async def __aenter__(self) -> None:
        self.asked += 1
        await asyncio.sleep(self._seconds)
        raise PoolTimeoutError

    async def __aexit__(self, *_error: object) -> None:
        """Nothing was begun."""


async def test_the_queue_is_looked_at_soon_after_connections_were_waited_for_in_vain(world: World) -> None:
    away = Away(1.0)
    database: Any = away  # Any: stands in for a Database
    async with watching(world, Limits(interactive_seconds=10, job_seconds=1_000), pace=100.0, database=database):

        async def again() -> bool:
            return away.asked > 2

        await eventually(again, within=15, what="a third look")


async def test_the_queue_is_looked_at_as_often_while_connections_are_waited_for(world: World) -> None:
    busy: Any = Busy(world.database, 1.0)  # Any: stands in for a Database
    limits = Limits(interactive_seconds=10, job_seconds=1_000)
    async with watching(world, limits, pace=100.0, database=busy) as small:
        await eventually(lambda: refused(small), what="a refusal")
        await world.change("delete from speech_queue")

        async def has_room() -> bool:
            return await refused(small) is None

        await eventually(has_room, within=8, what="room")
