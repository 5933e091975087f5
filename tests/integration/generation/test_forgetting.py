"""What may be forgotten when the database dies, and what may not: a commit that does not wait for the disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationProgressed
from libs.database import Driver
from libs.ids import new_id
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text

SETTING = "select current_setting('synchronous_commit')"


@dataclass
class Commits:
    """Notes of every commit whether it waits for the disk, and whether it brings events."""

    seen: list[tuple[str, bool]] = field(default_factory=list)

    async def before_commit(self, _session: AsyncSession, driver: Driver) -> None:
        tells = await driver.fetchval("select exists (select from outbox where xmin = pg_current_xact_id()::xid)")
        self.seen.append((await driver.fetchval(SETTING), tells))

    async def after_commit(self, _session: AsyncSession) -> None:
        """Nothing is noted of it."""


def _progressed(world: World) -> GenerationProgressed:
    return GenerationProgressed(generation_id=str(new_id()), org_id=str(world.org_id), chunks_done=1, chunks_total=2)


async def test_what_is_forgettable_does_not_wait_for_the_disk_unless_it_tells_something(world: World) -> None:
    commits = Commits()
    world.database.add_hook(commits)
    async with world.database.transaction(world.org_id, forgettable=True) as session:
        await session.execute(text("select 1"))
    async with world.database.transaction(world.org_id, forgettable=True) as session:
        outbox.add(session, _progressed(world))
    async with world.database.transaction(world.org_id) as session:
        outbox.add(session, _progressed(world))
    async with world.database.transaction(world.org_id) as session:
        await session.execute(text("select 1"))
    assert commits.seen == [("off", False), ("on", True), ("on", True), ("on", False)]


async def test_nothing_that_was_told_is_forgettable(world: World) -> None:
    commits = Commits()
    world.database.add_hook(commits)
    assert (await world.spoken("Hello there.")).status == "completed"
    assert (await world.spoken(long_text(1_500))).status == "completed"
    assert (await world.spoken(long_text(6_000), mode="job")).status == "completed"
    telling = [setting for setting, tells in commits.seen if tells]
    assert len(telling) > 6
    assert set(telling) == {"on"}
    assert "off" in {setting for setting, _ in commits.seen}, "of the pieces nobody is told"
