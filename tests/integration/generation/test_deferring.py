"""What is asked while the quota cannot be asked: accepted, and decided afterwards, once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationDeferred, GenerationFailed, GenerationRequested
from libs.ids import new_id
from libs.messaging import Bus, Delivery, Unavailable, connect
from libs.messaging.rpc import RpcServer
from services.generation import domain, store, usecases
from services.generation.adapters import Finishes, Quota
from services.generation.consumers import learn_voices
from services.generation.usecases import Deps
from tests.integration.generation.conftest import World
from tests.support.servers import Servers

Ask = Callable[[], Awaitable[domain.Generation]]


@dataclass
class Analytics:
    """Whoever answers for the quota, as long as it `answering`."""

    bus: Bus
    granted: bool = True
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        server = RpcServer(self.bus, "analytics", "reserve", ReserveRequest, self._reserve)
        await server.start()
        await self.bus.client.flush()
        try:
            yield
        finally:
            await server.stop()

    async def _reserve(self, request: ReserveRequest) -> ReserveReply:
        self.asked.append(request.reservation_id)
        return ReserveReply(granted=self.granted, limit=10_000, remaining=3, resets_at=1_800_000_000)


@pytest.fixture
async def analytics(servers: Servers) -> AsyncIterator[Analytics]:
    bus = await connect(servers.nats("analytics"), "test analytics")
    yield Analytics(bus)
    await bus.close()


@pytest.fixture
async def deps(servers: Servers, world: World) -> AsyncIterator[Deps]:
    bus = await connect(servers.nats("generation"), "test generation")
    yield Deps(
        database=world.database,
        quota=Quota(bus, patience_seconds=0.1),
        finishes=Finishes(bus),
        clock=lambda: datetime.now(UTC),
    )
    await bus.close()


@pytest.fixture
async def ask(world: World, deps: Deps) -> Ask:
    """Call and await it to have a generation asked for."""
    ready = await world.voice()
    await world.apply(learn_voices, ready)

    async def request() -> domain.Generation:
        wanted = domain.Request("Hello there.", UUID(ready.voice_id), 0.8, 0.95, 1000, 1.2, 1.0, "mp3")
        return await usecases.request_generation(deps, world.caller, wanted, None)

    return request


async def deferred(world: World, generation: domain.Generation) -> Delivery[GenerationDeferred]:
    """The delivery of the event that a request was put off."""
    (event,) = await world.emitted(GenerationDeferred, generation.id)
    return Delivery(event, str(new_id()), 1)


async def test_a_request_is_accepted_while_nobody_answers_for_the_quota(world: World, ask: Ask) -> None:
    generation = await ask()
    assert generation.status == "pending"
    (event,) = await world.emitted(GenerationDeferred, generation.id)
    assert event.request.generation_id == str(generation.id)
    assert event.request.characters == len("Hello there.")
    assert await world.emitted(GenerationRequested, generation.id) == []


async def test_it_is_not_put_off_when_the_quota_answers(world: World, analytics: Analytics, ask: Ask) -> None:
    async with analytics.answering():
        generation = await ask()
    assert len(await world.emitted(GenerationRequested, generation.id)) == 1
    assert await world.emitted(GenerationDeferred, generation.id) == []


async def test_it_stays_put_off_until_the_quota_answers(world: World, deps: Deps, ask: Ask) -> None:
    delivery = await deferred(world, await ask())
    with pytest.raises(Unavailable):
        await usecases.admit_generation(deps, delivery)


async def test_the_workers_hear_of_it_once_when_the_quota_answers(
    world: World, deps: Deps, analytics: Analytics, ask: Ask
) -> None:
    generation = await ask()
    delivery = await deferred(world, generation)
    async with analytics.answering():
        await usecases.admit_generation(deps, delivery)
        await usecases.admit_generation(deps, delivery)
    (requested,) = await world.emitted(GenerationRequested, generation.id)
    assert requested == delivery.event.request
    assert analytics.asked[0] == str(generation.id)


async def test_it_fails_with_the_reason_when_the_plan_does_not_cover_it(
    world: World, deps: Deps, analytics: Analytics, ask: Ask
) -> None:
    generation = await ask()
    delivery = await deferred(world, generation)
    analytics.granted = False
    async with analytics.answering():
        await usecases.admit_generation(deps, delivery)
    assert await world.emitted(GenerationRequested, generation.id) == []
    (failed,) = await world.emitted(GenerationFailed, generation.id)
    assert failed.code == "quota_exceeded"
    async with world.database.transaction(world.org_id) as session:
        now = await store.get_generation(session, world.org_id, generation.id)
    assert now is not None
    assert (now.status, now.error_code) == ("failed", "quota_exceeded")
    assert "3 of 10000 are left" in (now.error or "")


async def test_what_was_deleted_meanwhile_or_taken_already_is_not_asked_for_again(
    world: World, deps: Deps, analytics: Analytics, ask: Ask
) -> None:
    gone, taken = await ask(), await ask()
    deliveries = [await deferred(world, generation) for generation in (gone, taken)]
    await usecases.delete_generation(world.database, world.caller, gone.id, now=datetime.now(UTC))
    async with world.database.transaction(world.org_id) as session:
        assert await store.claim_generation(session, world.org_id, taken.id, new_id())
    async with analytics.answering():
        for delivery in deliveries:
            await usecases.admit_generation(deps, delivery)
    for generation in (gone, taken):
        assert await world.emitted(GenerationRequested, generation.id) == []
