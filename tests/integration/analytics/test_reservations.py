"""A plan is never exceeded by one character, however many ask at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationFailed
from libs.database import Database, driver_of
from libs.ids import new_id
from libs.messaging import connect, rpc
from services.analytics import domain, store, usecases
from services.analytics.consumers import begin_subscriptions, record_usage, release_failed
from services.analytics.domain import Plan
from tests.integration.analytics.conftest import Books
from tests.support.polling import eventually
from tests.support.servers import Servers


def on_the_free_plan(books: Books) -> Books:
    return replace(books, deps=replace(books.deps, default_plan=Plan.FREE))


async def reserve(
    books: Books, characters: int, reservation_id: UUID | None = None, *, again: bool = False
) -> ReserveReply:
    request = ReserveRequest(
        reservation_id=str(reservation_id or new_id()), org_id=str(books.org_id), characters=characters, again=again
    )
    return await usecases.reserve(books.deps, request)


async def test_of_a_thousand_at_once_exactly_those_that_fit_are_granted(books: Books) -> None:
    free = on_the_free_plan(books)
    size = 16
    fits = (Plan.FREE.characters or 0) // size
    replies = await asyncio.gather(*(reserve(free, size) for _ in range(1000)))
    assert sum(reply.granted for reply in replies) == fits
    refused = next(reply for reply in replies if not reply.granted)
    assert refused.limit == Plan.FREE.characters
    assert refused.remaining < size
    assert refused.resets_at == int(domain.end_of(domain.period_of(datetime.now(UTC))).timestamp())


async def test_asking_twice_reserves_once(books: Books) -> None:
    free = on_the_free_plan(books)
    reservation_id = new_id()
    for _ in range(3):
        assert (await reserve(free, 9_000, reservation_id)).granted
    assert (await reserve(free, 1_000)).granted
    assert not (await reserve(free, 1)).granted


async def test_what_nothing_more_is_heard_of_is_free_again_after_an_hour(books: Books) -> None:
    free = on_the_free_plan(books)
    assert (await reserve(free, 10_000)).granted
    assert not (await reserve(free, 1)).granted
    now = datetime.now(UTC)
    # Still the same month, so that only the reservation's end can free the characters.
    later = now + domain.RESERVATION_LIFETIME + timedelta(seconds=1)
    moved = replace(free, deps=replace(free.deps, clock=lambda: later))
    assert (await reserve(moved, 10_000)).granted


async def test_settling_beside_reserving_hides_nothing(books: Books) -> None:
    # A reservation that is settled is held or used at any moment: whoever adds up sees it once.
    free = on_the_free_plan(books)
    size, asked = 100, 300
    granted: list[UUID] = []

    async def ask_and_complete() -> None:
        reservation_id = new_id()
        if (await reserve(free, size, reservation_id)).granted:
            granted.append(reservation_id)
            spoken = free.completed(characters=size)
            spoken.generation_id = str(reservation_id)
            await free.apply(record_usage, spoken)

    await asyncio.gather(*(ask_and_complete() for _ in range(asked)))
    assert len(granted) * size == Plan.FREE.characters
    used = "select quantity from usage_totals where org_id = :org and unit = 'characters'"
    assert await free.value(used) == Plan.FREE.characters


async def test_what_was_used_and_what_is_held_are_read_in_one_moment(books: Books) -> None:
    # Between two statements a settlement may pass from the one to the other, and be missed by both.
    async with books.database.transaction(books.org_id) as session:
        statements: list[object] = []
        with driver_of(session).query_logger(statements.append):
            await store.get_standing(session, books.org_id, domain.period_of(datetime.now(UTC)), datetime.now(UTC))
    assert len(statements) == 1


async def test_what_is_decided_already_is_not_granted_again(books: Books) -> None:
    free = on_the_free_plan(books)
    settled, released, expired = new_id(), new_id(), new_id()
    assert (await reserve(free, 4_000, expired)).granted
    later = datetime.now(UTC) + domain.RESERVATION_LIFETIME + timedelta(seconds=1)
    moved = replace(free, deps=replace(free.deps, clock=lambda: later))
    spoken = free.completed(characters=7_000, at=later)
    spoken.generation_id = str(settled)
    await free.apply(record_usage, spoken)
    ended = GenerationFailed(generation_id=str(released), org_id=str(free.org_id), code="x", failed_at=later)
    await free.apply(release_failed, ended)
    assert (await reserve(moved, 7_000, settled)).granted
    assert not (await reserve(moved, 1, released)).granted
    # What expired counts anew, and does not fit any more.
    assert not (await reserve(moved, 4_000, expired)).granted
    assert (await reserve(moved, 3_000, new_id())).granted
    assert not (await reserve(moved, 1, new_id())).granted


async def test_what_was_released_is_granted_again_to_who_tries_again(books: Books) -> None:
    free = on_the_free_plan(books)
    retried = new_id()
    assert (await reserve(free, 6_000, retried)).granted
    ended = GenerationFailed(generation_id=str(retried), org_id=str(free.org_id), code="x", failed_at=datetime.now(UTC))
    await free.apply(release_failed, ended)
    assert not (await reserve(free, 6_000, retried)).granted
    for _ in range(2):
        assert (await reserve(free, 6_000, retried, again=True)).granted
    # It counts as before, once.
    assert (await reserve(free, 4_000)).granted
    assert not (await reserve(free, 1)).granted


async def test_trying_again_takes_no_more_than_the_plan_has(books: Books) -> None:
    free = on_the_free_plan(books)
    retried = new_id()
    assert (await reserve(free, 6_000, retried)).granted
    ended = GenerationFailed(generation_id=str(retried), org_id=str(free.org_id), code="x", failed_at=datetime.now(UTC))
    await free.apply(release_failed, ended)
    assert (await reserve(free, 5_000)).granted
    assert not (await reserve(free, 6_000, retried, again=True)).granted


@pytest.mark.parametrize("plan", list(Plan))
async def test_the_answer_says_how_much_the_plan_does_at_once(books: Books, plan: Plan) -> None:
    asking = replace(books, deps=replace(books.deps, default_plan=plan))
    reservation_id = new_id()
    for characters in (10, 10, 10**9):
        assert (await reserve(asking, characters, reservation_id)).concurrency == plan.concurrency
    refused = await reserve(asking, 10**9)
    assert refused.granted is (plan is Plan.ENTERPRISE)
    assert refused.concurrency == plan.concurrency


async def test_what_was_there_already_counts_against_no_plan(books: Books) -> None:
    free = on_the_free_plan(books)
    shared = free.completed(characters=9_000)
    shared.characters_spoken = 0
    await free.apply(record_usage, shared)
    assert (await reserve(free, 10_000)).granted


async def test_what_expired_and_still_fits_is_held_again(books: Books) -> None:
    free = on_the_free_plan(books)
    reservation_id = new_id()
    assert (await reserve(free, 10_000, reservation_id)).granted
    later = datetime.now(UTC) + domain.RESERVATION_LIFETIME + timedelta(seconds=1)
    moved = replace(free, deps=replace(free.deps, clock=lambda: later))
    assert (await reserve(moved, 10_000, reservation_id)).granted
    assert not (await reserve(moved, 1)).granted


async def test_a_subscription_that_ended_leaves_the_free_plan(books: Books) -> None:
    created = OrganizationCreated(org_id=str(books.org_id), name="x", plan="pro", created_at=datetime.now(UTC))
    await books.apply(begin_subscriptions, created)
    assert (await reserve(books, 1)).limit == Plan.PRO.characters
    async with books.database.transaction(books.org_id) as session:
        await session.execute(text("update subscriptions set status = 'cancelled'"))
    assert (await reserve(books, 1)).limit == Plan.FREE.characters


async def test_without_a_limit_everything_is_granted(books: Books) -> None:
    assert (await reserve(books, 10**9)).granted


async def test_a_plan_without_a_limit_is_not_asked_for_again_at_once_and_a_limit_counts_soon(books: Books) -> None:
    assert not (await reserve(books, 1)).limit
    away = replace(
        books, deps=replace(books.deps, database=Database("postgresql://x@127.0.0.1:9/x", "", application=""))
    )
    assert (await reserve(away, 10**9)).granted
    created = OrganizationCreated(org_id=str(books.org_id), name="x", plan="pro", created_at=datetime.now(UTC))
    await books.apply(begin_subscriptions, created)

    async def is_limited() -> bool:
        return (await reserve(books, 1)).limit == Plan.PRO.characters

    await eventually(is_limited, what="the limit of the new plan")


async def test_the_question_is_answered_over_the_broker(servers: Servers, books: Books) -> None:
    ours = await connect(servers.nats("analytics"), "test")
    theirs = await connect(servers.nats("generation"), "test")
    server = rpc.RpcServer(ours, "analytics", "reserve", ReserveRequest, partial(usecases.reserve, books.deps))
    await server.start()
    request = ReserveRequest(reservation_id=str(new_id()), org_id=str(books.org_id), characters=5)
    reply = await rpc.call(theirs, "analytics", "reserve", request, ReserveReply, patience=5)
    assert reply.granted
    await server.stop()
    await ours.close()
    await theirs.close()
