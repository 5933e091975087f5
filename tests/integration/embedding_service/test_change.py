"""Changing the model while people search: every answer comes from one model, and none is an error."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from libs.ids import new_id
from libs.messaging import Delivery
from libs.outbox.erasing import erase_rows
from services.embedding.adapters import MiniLm, Vectors
from services.embedding.consumers import CONSUMERS, index_generation
from services.embedding.store.indexes import CHANGING, activate, drop_index, list_gaps, list_indexes, want_index
from services.embedding.usecases import Deps, adopt_model, model_to_search
from services.embedding.usecases.erasing import ERASED
from services.embedding.usecases.models import look
from services.embedding.usecases.reembedding import change_over, fill
from tests.integration.embedding_service.changing import (
    LONG_MODEL,
    QUERIES,
    SHORT,
    SHORT_MODEL,
    TEXTS,
    Scene,
    Searching,
    cosines_of,
    looking,
    providing,
    shortened,
    spoken,
)
from tests.integration.embedding_service.conftest import completed
from tests.integration.embedding_service.test_process import ALONE, environment, running
from tests.support.broker import provisioned
from tests.support.outbox import UNSENT
from tests.support.polling import eventually
from tests.support.servers import Servers, running_servers
from tests.support.uploads import no_upload


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Servers]:
    """Servers of its own: the model is the whole installation's."""
    with running_servers() as running:
        running.migrate("embedding")
        yield running


@pytest.fixture
async def scene(own_servers: Servers, minilm: MiniLm, model_dir: Path, tmp_path: Path) -> AsyncIterator[Scene]:
    org_id = new_id()
    events = [completed(org_id, spoken(number)) for number in range(TEXTS + 20)]
    known = {event.generation_id: row for row, event in enumerate(events)}
    searching = Searching(org_id, known, await cosines_of(minilm, [event.text for event in events]))
    async with (
        provisioned(own_servers, CONSUMERS) as broker,
        looking(own_servers) as admin,
        providing(minilm) as provider,
    ):
        yield Scene(own_servers, admin, provider, broker, searching, events, model_dir, tmp_path)


async def test_searches_go_on_while_the_model_is_changed_and_changed_back(scene: Scene) -> None:
    async with scene.process("before") as (process, http), AsyncExitStack() as throughout:
        await scene.publish(0, TEXTS, LONG_MODEL)
        await throughout.enter_async_context(scene.searching.going_on(http))
        made = await kill_in_the_middle(scene)
        await scene.publish(TEXTS, TEXTS + 10, LONG_MODEL)
        async with scene.process("after", **scene.elsewhere) as (_, new_http):
            await change(scene, new_http, made)
            # The process with the old settings keeps to the index that was left.
            assert await scene.searching.once(http, 3) == "long"
            await throughout.aclose()
            stop(process)
            await scene.publish(TEXTS + 10, TEXTS + 20, SHORT_MODEL)
            assert not await scene.have(LONG_MODEL, TEXTS + 11)
            assert await scene.searching.once(new_http, 0) == "short"
    await change_back(scene)


async def kill_in_the_middle(scene: Scene) -> int:
    """Begin to embed anew, kill the process that does it, and return how far it came."""
    async with scene.process("killed", **scene.elsewhere) as (process, http):
        assert await scene.searching.once(http, 1) == "long"
        await eventually(lambda: scene.have(SHORT_MODEL, 100), within=30, what="a part of the second index")
        scene.provider.is_refusing = True
        assert await scene.searching.once(http, 2) == "long"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    made: int = await scene.admin.fetchval(
        "select count(*) from vectors join vector_indexes i on i.id = index_id where i.model_id = $1", SHORT_MODEL
    )
    assert 100 <= made < TEXTS
    assert len(set(scene.provider.asked)) == len(scene.provider.asked)
    scene.provider.is_refusing = False
    scene.provider.asked.clear()
    return made


async def change(scene: Scene, http: aiohttp.ClientSession, made: int) -> None:
    """Go on to embed anew where it was left, until searches change over."""
    async with scene.searching.going_on(http):
        await eventually(lambda: scene.is_active(SHORT_MODEL), within=60, what="the change")
        # What was made before the kill is not made again, and each text once.
        texts = [text for text in scene.provider.asked if text not in QUERIES]
        assert len(texts) == len(set(texts)) == TEXTS + 10 - made
        await eventually(lambda: answers(scene.searching, "short"), what="answers of the new model")


async def change_back(scene: Scene) -> None:
    """Configure the former model again: what came since is embedded, and the other index dropped."""
    second = await scene.admin.fetchval("select id from vector_indexes where model_id = $1", SHORT_MODEL)
    settings = {
        "ANTIPHON_EMBEDDING_FORMER_URL": scene.provider.url,
        "ANTIPHON_EMBEDDING_KEEP_FORMER_HOURS": "0",
    }
    async with scene.process("back", **settings) as (_, http), scene.searching.going_on(http):
        await eventually(lambda: scene.is_active(LONG_MODEL), within=30, what="the change back")
        await eventually(lambda: scene.is_dropped(SHORT_MODEL, second), within=30, what="the end of the second index")
    assert await scene.have(LONG_MODEL, TEXTS + 20)


async def answers(searching: Searching, model: str) -> bool:
    return searching.answers.get(model, 0) > 0


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


@dataclass(frozen=True)
class Short:
    """The shorter model in this process."""

    minilm: MiniLm
    model_id: str = "shorter"
    dimensions: int = SHORT

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return shortened(await self.minilm.embed(texts))

    async def close(self) -> None:
        """It belongs to others."""


async def test_searches_change_over_to_no_index_with_a_gap(own_servers: Servers, minilm: MiniLm) -> None:
    """Not while one passage lacks its vector, and at once when none does."""
    database = own_servers.database("embedding", [UNSENT])
    objects = own_servers.object_store()
    first = Deps(database, minilm, lambda: datetime.now(UTC), None, objects, no_upload)
    second = Deps(database, Short(minilm), first.clock, None, objects, no_upload, former=[minilm])
    try:
        await adopt_model(first)
        event = completed(new_id(), "What has no vector in the second index.")
        await index_generation.handler(Delivery(event, str(new_id()), 1), first)
        await adopt_model(second)
        (wanted,) = [one for one in await look(second) if one.is_wanted]
        assert not await change_over(second, wanted)
        async with database.transaction() as session:
            gaps = await list_gaps(session, wanted, UUID(int=0), 1_000)
        assert await fill(second, wanted, second.embedder, gaps[1:]) == len(gaps) - 1
        assert not await change_over(second, wanted)
        assert await fill(second, wanted, second.embedder, gaps) == 1
        assert await change_over(second, wanted)
        assert not await change_over(second, wanted)
        index, embedder = await model_to_search(second)
        assert (index.id, embedder) == (wanted.id, second.embedder)
    finally:
        async with database.transaction(holding=CHANGING) as session:
            (active,) = [one for one in await list_indexes(session) if one.model_id == minilm.model_id]
            await want_index(session, minilm.model_id, minilm.dimensions)
            await activate(session, active)
            for other in await list_indexes(session):
                if not other.is_active:
                    assert await drop_index(session, other)
        await erase_rows(database, UUID(event.org_id), ERASED)
        await objects.close()
        await database.close()


async def test_a_model_that_is_left_and_not_known_is_asked_for(
    own_servers: Servers, model_dir: Path, tmp_path: Path
) -> None:
    """An index of a provider's model, and settings that only know the local one."""
    async with looking(own_servers) as admin:
        was = await admin.fetchval("select id from vector_indexes where is_active")
        await admin.execute("update vector_indexes set is_active = false")
        opened = await admin.fetchval("select open_vector_index('elsewhere', 99)")
        await admin.execute("update vector_indexes set is_active = true where id = $1", opened)
        try:
            with running(ALONE, environment(own_servers, model_dir, tmp_path), tmp_path / "log") as (process, _):
                assert await asyncio.to_thread(process.wait, 30) != 0
        finally:
            await admin.execute("update vector_indexes set is_active = false")
            await admin.execute("update vector_indexes set is_active = true where id = $1", was)
            await admin.execute("select drop_vector_index($1)", opened)
    said = (tmp_path / "log").read_text()
    assert "The search index was made with elsewhere, but all-MiniLM-L6-v2 is configured." in said
    assert "ANTIPHON_EMBEDDING_FORMER_URL" in said
