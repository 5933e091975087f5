"""What is asked while the quota cannot be asked: accepted, and decided afterwards, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationDeferred, GenerationFailed, GenerationRequested
from libs.ids import new_id
from libs.messaging import Delivery, Unavailable, connect
from services.generation.adapters import Quota
from services.generation.domain.errors import QuotaExceeded
from services.generation.domain.requests import Generation
from services.generation.usecases import admitting, ending
from tests.integration.generation.conftest import World
from tests.integration.generation.stand_ins import Analytics
from tests.integration.generation.texts import long_text
from tests.support.servers import Servers


@pytest.fixture
async def analytics(servers: Servers) -> AsyncIterator[Analytics]:
    """Whoever answers for the quota once a test lets it."""
    bus = await connect(servers.nats("analytics"), "test analytics")
    yield Analytics(bus)
    await bus.close()


@pytest.fixture
async def alone(world: World) -> World:
    """A world whose quota nobody answers for."""
    await world.analytics.stop()
    return replace(world, deps=replace(world.deps, quota=Quota(world.deps.bus, patience_seconds=1.0)))


async def deferred(world: World, generation: Generation) -> Delivery[GenerationDeferred]:
    """The delivery of the event that a request was put off."""
    (event,) = await world.emitted(GenerationDeferred, generation.id)
    return Delivery(event, str(new_id()), 1)


async def test_a_request_is_accepted_while_nobody_answers_for_the_quota(alone: World) -> None:
    generation = await alone.ask("Hello there.")
    assert generation.status == "pending"
    (event,) = await alone.emitted(GenerationDeferred, generation.id)
    assert event.request.generation_id == str(generation.id)
    assert event.request.characters == len("Hello there.")
    assert await alone.emitted(GenerationRequested, generation.id) == []
    assert await alone.rows("select 1 from speech_queue") == []


async def test_it_is_not_put_off_when_the_quota_answers(world: World) -> None:
    generation = await world.ask()
    assert len(await world.emitted(GenerationRequested, generation.id)) == 1
    assert await world.emitted(GenerationDeferred, generation.id) == []


async def test_a_refusal_is_told_at_once_and_nothing_is_written(world: World) -> None:
    world.analytics.granted = False
    with pytest.raises(QuotaExceeded):
        await world.ask()
    assert await world.rows("select 1 from generations") == []
    assert await world.rows("select 1 from speech_queue") == []


async def test_it_stays_put_off_until_the_quota_answers(alone: World) -> None:
    delivery = await deferred(alone, await alone.ask())
    with pytest.raises(Unavailable):
        await admitting.admit_generation(alone.deps, delivery)


@pytest.mark.parametrize("length", [40, 800], ids=["whole", "chunks"])
async def test_the_workers_hear_of_it_once_when_the_quota_answers(
    alone: World, analytics: Analytics, length: int
) -> None:
    generation = await alone.ask(long_text(length) or "Hello there.")
    delivery = await deferred(alone, generation)
    async with analytics.answering():
        await admitting.admit_generation(alone.deps, delivery)
        await admitting.admit_generation(alone.deps, delivery)
    (requested,) = await alone.emitted(GenerationRequested, generation.id)
    assert requested == delivery.event.request
    assert analytics.asked[0] == str(generation.id)
    assert len(await alone.rows("select 1 from speech_queue")) == 1
    async with alone.working():
        assert (await alone.until(generation.id)).status == "completed"


async def test_equal_requests_that_were_put_off_are_spoken_once(alone: World, analytics: Analytics) -> None:
    voice_id = await alone.known_voice()
    both = [await alone.ask("Twice the same.", voice_id) for _ in range(2)]
    async with analytics.answering():
        for one in both:
            await admitting.admit_generation(alone.deps, await deferred(alone, one))
    async with alone.working():
        finished = [await alone.until(one.id) for one in both]
    assert {one.status for one in finished} == {"completed"}
    assert len(alone.engine.spoken) == 1


async def test_it_fails_with_the_reason_when_the_plan_does_not_cover_it(alone: World, analytics: Analytics) -> None:
    generation = await alone.ask()
    delivery = await deferred(alone, generation)
    analytics.granted = False
    async with analytics.answering():
        await admitting.admit_generation(alone.deps, delivery)
    assert await alone.emitted(GenerationRequested, generation.id) == []
    (failed,) = await alone.emitted(GenerationFailed, generation.id)
    assert failed.code == "quota_exceeded"
    now = await alone.get(generation.id)
    assert (now.status, now.error_code) == ("failed", "quota_exceeded")
    assert "3 of 10000 are left" in (now.error or "")


async def test_what_was_deleted_or_canceled_meanwhile_is_not_asked_for_again(
    alone: World, analytics: Analytics
) -> None:
    gone, canceled = await alone.ask("Gone."), await alone.ask("Canceled.")
    deliveries = [await deferred(alone, one) for one in (gone, canceled)]
    await ending.delete_generation(alone.deps, alone.caller, gone.id)
    await ending.cancel_generation(alone.deps, alone.caller, canceled.id)
    async with analytics.answering():
        for delivery in deliveries:
            await admitting.admit_generation(alone.deps, delivery)
    for one in (gone, canceled):
        assert await alone.emitted(GenerationRequested, one.id) == []
    assert await alone.rows("select 1 from speech_queue") == []


@pytest.mark.parametrize(("limit", "asked"), [(0, 1), (10_000, 3)], ids=["no limit", "a limit"])
async def test_where_there_is_no_limit_the_quota_is_asked_now_and_then(world: World, limit: int, asked: int) -> None:
    world.analytics.limit = limit
    quota = Quota(world.deps.bus, patience_seconds=5.0)
    for _ in range(3):
        await quota.reserve(world.org_id, new_id(), 5)
    assert len(world.analytics.asked) == asked
    # Another organisation asks for itself.
    await quota.reserve(new_id(), new_id(), 5)
    assert len(world.analytics.asked) == asked + 1
