"""What it costs to take and to end something while much waits, on a database whose statistics say nothing of it."""

from __future__ import annotations

import pytest

from libs.ids import new_id
from services.generation.store import queue, taking
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text
from tests.support.servers import Servers
from tests.support.statistics import NEVER, WHEN_EMPTY, forget_statistics, rows_read

TEXTS, LENGTH = 12, 4_500
TABLES = ("speech_queue", "generation_chunks", "renditions", "speech_cache")


async def forget(servers: Servers, how: str) -> None:
    """Make the tables look as if they had never been looked at; the queue, as `how` says."""
    known = dict.fromkeys(TABLES, NEVER) | {"speech_queue": how}
    await forget_statistics(servers, "antiphon_generation", known)


@pytest.mark.parametrize("how", [NEVER, WHEN_EMPTY], ids=["never looked at", "looked at when empty"])
async def test_taking_a_text_back_reads_its_own_pieces_and_nobody_elses(
    world: World, servers: Servers, how: str
) -> None:
    asked = [await world.ask(long_text(LENGTH, first=100 * number)) for number in range(TEXTS)]
    rendition_id = asked[0].rendition_id
    assert rendition_id is not None
    await forget(servers, how)
    async with world.database.transaction(world.org_id) as session:
        before = await rows_read(session, TABLES)
        withdrawn = await queue.withdraw_chunks(session, world.org_id, rendition_id)
        read = await rows_read(session, TABLES) - before
    (waiting,) = await world.rows("select count(*) as count from speech_queue where kind = 'chunk'")
    assert withdrawn
    assert waiting.count > 100
    assert read <= 6 * len(withdrawn)


@pytest.mark.parametrize("how", [NEVER, WHEN_EMPTY], ids=["never looked at", "looked at when empty"])
@pytest.mark.parametrize("priority", [queue.INTERACTIVE, queue.JOB], ids=["interactive", "jobs"])
async def test_taking_reads_what_is_taken_and_not_what_waits(
    world: World, servers: Servers, how: str, priority: int
) -> None:
    org_id, most = new_id(), 5
    work = [queue.NewWork(org_id, "whole", new_id(), priority, 100, engine="an engine") for _ in range(3_000)]
    async with world.database.transaction() as session:
        await queue.enqueue(session, work)
    await forget(servers, how)
    async with world.database.transaction() as session:
        before = await rows_read(session, TABLES)
        taken = await taking.take(session, new_id(), most, ["an engine"])
        read = await rows_read(session, TABLES) - before
    assert len(taken) == most
    assert read <= 10 * most
