"""Everything at once on a few texts that share pieces: nobody waits in vain, and nothing is left over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.exc import SQLAlchemyError

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered, GenerationDeferred, GenerationDeleted
from libs.contracts.registry import event_type
from libs.messaging import Delivery, Unavailable
from libs.objectstore import ObjectMissing, ObjectStore
from libs.speech.engine import EngineCrashed, RenderJob, TextNotSpeakable
from services.generation.adapters import Quota
from services.generation.consumers import complete_generations
from services.generation.domain import errors
from services.generation.domain.requests import Generation, Mode, Request
from services.generation.store import listing
from services.generation.usecases import Deps, admitting, ending, requesting, revising
from tests.integration.generation.conftest import World, another_worker
from tests.integration.generation.texts import long_text
from tests.integration.generation.told import stored
from tests.support.polling import eventually

SECONDS = 5.0
CLIENTS = 10
EXPECTED = (
    errors.GenerationNotFound,
    errors.WrongState,
    errors.UnknownVoice,
    errors.QuotaExceeded,
    errors.Overloaded,
    Unavailable,
)


class Moody(Quota):
    """A quota that now and then cannot be asked, for requests that are new."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.is_moody = True

    # What is asked for plays no part.
    async def reserve(
        self,
        _org: UUID,
        _generation: UUID,
        _characters: int,
        *,
        again: bool = False,
        seconds: float = 0,  # noqa: ARG002
    ) -> int:
        if self.is_moody and not again and self._dice.random() < 0.25:
            raise Unavailable("it is away")
        return 1000


@dataclass
class Storage:
    """What storage does with audio: the first of a rendition stays, all others go, and so does what is deleted."""

    world: World
    seen: set[int] = field(default_factory=set)
    tracks: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    async def look(self, deps: Deps) -> None:
        kinds = {event_type(kind).name: kind for kind in (AudioRendered, GenerationDeferred, GenerationDeleted)}
        rows = await self.world.rows(
            "select seq, event_id, type_name, payload from outbox where org_id = :org and seq <> all(:seen) "
            "and type_name = any(:kinds) order by seq",
            org=self.world.org_id,
            seen=list(self.seen),
            kinds=list(kinds),
        )
        for row in rows:
            event = kinds[row.type_name].FromString(row.payload)
            if isinstance(event, AudioRendered):
                await self._keep(event)
            elif isinstance(event, GenerationDeferred):
                # Unavailable: it is delivered again.
                await admitting.admit_generation(deps, Delivery(event, str(row.event_id), 1))
            else:
                await self._remove(event)
            self.seen.add(row.seq)

    async def _keep(self, event: AudioRendered) -> None:
        # What was told before is told again when the look at it was cut off.
        first = self.tracks.get(event.generation_id, event.object_key)
        if event.generation_id in self.gone or first != event.object_key:
            await self.world.objects.delete(event.object_key)
            return
        with contextlib.suppress(ObjectMissing):
            await self.world.objects.get(event.object_key)
            self.tracks[event.generation_id] = event.object_key
            await self.world.apply(complete_generations, stored(event))

    async def _remove(self, event: GenerationDeleted) -> None:
        for key in event.object_keys:
            await self.world.objects.delete(key)
        if event.audio_id:
            self.gone.add(event.audio_id)
            if track := self.tracks.pop(event.audio_id, None):
                await self.world.objects.delete(track)


async def _any(world: World, dice: random.Random) -> Generation | None:
    async with world.database.transaction(world.org_id) as session:
        found = await listing.list_generations(session, world.org_id, listing.GenerationFilter(), after=None, limit=40)
    return dice.choice(found) if found else None


class Clients:
    """Do at random what clients can do."""

    def __init__(self, world: World, voice_id: UUID, dice: random.Random) -> None:
        self._world, self._voice, self._dice = world, voice_id, dice
        base = [long_text(650, first=first) for first in (0, 3, 40)]
        self._texts = [
            *base,
            base[0] + " " + base[2],
            "Hello there.",
            "Good bye, then.",
            long_text(5_400, first=0),
        ]

    async def ask(self) -> None:
        wanted = self._dice.choice(self._texts)
        mode: Mode = "job" if len(wanted) > 5_000 else "interactive"
        use_cache = self._dice.random() < 0.8
        request = Request(text=wanted, voice_id=self._voice, format="wav", mode=mode, use_cache=use_cache)
        await requesting.request_generation(self._world.deps, self._world.caller, request, None)

    async def cancel(self) -> None:
        if one := await _any(self._world, self._dice):
            await ending.cancel_generation(self._world.deps, self._world.caller, one.id)

    async def delete(self) -> None:
        if one := await _any(self._world, self._dice):
            await ending.delete_generation(self._world.deps, self._world.caller, one.id)

    async def retry(self) -> None:
        if one := await _any(self._world, self._dice):
            await ending.retry_generation(self._world.deps, self._world.caller, one.id)

    async def revise(self) -> None:
        if one := await _any(self._world, self._dice):
            words = one.text.split(" ")
            edited = " ".join([*words[:10], self._dice.choice(("and", "or")), *words[10:]])
            if len(edited) <= 5_000:
                await revising.revise_generation(
                    self._world.deps, self._world.caller, one, edited, None, wait_seconds=0
                )

    async def steal(self) -> None:
        """A worker is thought dead: what it has is free again."""
        await self._world.change(
            "update speech_queue set worker = null, available_at = clock_timestamp() where id in "
            "(select id from speech_queue where worker is not null and random() < 0.1 for update skip locked)"
        )

    async def act(self, until: float) -> None:
        weighted: Mapping[Callable[[], Awaitable[None]], int] = {
            self.ask: 10,
            self.cancel: 6,
            self.delete: 5,
            self.retry: 8,
            self.revise: 4,
            self.steal: 2,
        }
        while time.monotonic() < until:
            (act,) = self._dice.choices(list(weighted), list(weighted.values()))
            with contextlib.suppress(*EXPECTED):
                await act()


LEFT_OVER = {
    "a piece that nobody has": """
        select cache_key from speech_cache s where not exists (
            select from generation_chunks c where c.org_id = s.org_id and c.cache_key = s.cache_key)""",
    "a piece that is neither spoken nor queued": """
        select cache_key from speech_cache s where object_key is null and not exists (
            select from speech_queue q where q.org_id = s.org_id and q.cache_key = s.cache_key and q.kind = 'chunk')""",
    "a rendition that nobody has": """
        select id from renditions r where not exists (select from generations g where g.rendition_id = r.id)""",
    "a generation that waits for what has ended": """
        select g.id from generations g join renditions r on r.id = g.rendition_id
        where g.status = 'pending' and r.status not in ('pending', 'rendered')""",
    "work for what is not there, or has ended": """
        select q.id from speech_queue q left join renditions r on r.id = q.rendition_id
        where q.org_id = :org and q.kind <> 'chunk' and coalesce(r.status, 'gone') <> 'pending'""",
    "a piece queued that nobody waits for": """
        select q.id from speech_queue q where q.org_id = :org and q.kind = 'chunk' and not exists (
            select from generation_chunks c join renditions r on r.id = c.rendition_id
            where c.org_id = q.org_id and c.cache_key = q.cache_key and r.status = 'pending')""",
    "pieces counted wrongly": """
        select r.id, r.status, r.chunks_done, r.chunks_total from renditions r
        where r.chunks_total is not null and r.status in ('pending', 'rendered', 'completed') and (
            r.chunks_done <> (select count(*) from generation_chunks c join speech_cache s using (org_id, cache_key)
                where c.rendition_id = r.id and s.object_key is not null)
            or r.chunks_total <> (select count(*) from generation_chunks c where c.rendition_id = r.id))""",
    "completed audio without its object's key": """
        select g.id from generations g join renditions r on r.id = g.rendition_id
        where g.status = 'completed' and (r.status <> 'completed' or r.object_key is null)""",
}  # fmt: skip


async def _deadlocks(world: World) -> int:
    rows = await world.rows("select deadlocks from pg_stat_database where datname = current_database()")
    return int(rows[0].deadlocks)


async def _left_over(world: World, objects: ObjectStore) -> dict[str, object]:
    """Return what should not be, by what it is."""
    found: dict[str, object] = {}
    for what, query in LEFT_OVER.items():
        if rows := await world.rows(query, org=world.org_id):
            found[what] = rows
    rows = await world.rows(
        "select object_key from speech_cache where object_key is not null union "
        "select object_key from renditions where object_key is not null union "
        "select alignment_key from renditions where alignment_key is not null"
    )
    missing = [row.object_key for row in rows if not await objects.exists(row.object_key)]
    return found | ({"a missing object": missing} if missing else {})


class Chaos:
    """A world in which the engine fails, the quota is away, and leases run out, until `calm`."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self._quota, self._dice, self._is_calm = Moody(dice), dice, False
        self.world = replace(world, deps=replace(world.deps, quota=self._quota))
        self.storage = Storage(self.world)
        world.engine.on_render = self._refuse

    async def _refuse(self, _job: RenderJob) -> None:
        if not self._is_calm and (chance := self._dice.random()) < 0.08:
            raise TextNotSpeakable("nothing is heard of it") if chance < 0.02 else EngineCrashed("it ended")

    def calm(self) -> None:
        self._is_calm, self._quota.is_moody = True, False

    async def keep_storing(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                await self.storage.look(self.world.deps)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_lost_and_nothing_left_over(world: World, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(seed)
    chaos = Chaos(world, dice)
    world = chaos.world
    clients = Clients(world, await world.known_voice(), dice)
    before = await _deadlocks(world)

    async def none_waits() -> bool:
        return not await world.rows("select id from generations where status = 'pending'")

    with caplog.at_level(logging.WARNING):
        async with world.working(slots=4), world.working(another_worker(world.worker), slots=4):
            storing = asyncio.create_task(chaos.keep_storing())
            until = time.monotonic() + SECONDS
            await asyncio.gather(*(clients.act(until) for _ in range(CLIENTS)))
            chaos.calm()
            await eventually(none_waits, within=30, every=0.2, what="the end of all generations")
            storing.cancel()
    await chaos.storage.look(world.deps)
    assert await _left_over(world, world.objects) == {}
    # What was deleted while it was joined is missed by whoever joins it; but the database must be content.
    failures = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [repr(one) for one in failures if isinstance(one, SQLAlchemyError | asyncpg.PostgresError)] == []
    # The server's counters come up to a second late. Nothing to poll for: that none comes is what is asked.
    await asyncio.sleep(1.2)
    assert await _deadlocks(world) == before
