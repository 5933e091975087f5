"""A plan is never exceeded by one character, however many ask at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.ids import new_id
from libs.messaging import connect, rpc
from services.analytics import domain, usecases
from services.analytics.domain import Plan
from tests.integration.analytics.conftest import Books
from tests.support.servers import Servers


def on_the_free_plan(books: Books) -> Books:
    return replace(books, deps=replace(books.deps, default_plan=Plan.FREE))


async def reserve(books: Books, characters: int, reservation_id: UUID | None = None) -> ReserveReply:
    request = ReserveRequest(
        reservation_id=str(reservation_id or new_id()), org_id=str(books.org_id), characters=characters
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


async def test_without_a_limit_everything_is_granted(books: Books) -> None:
    assert (await reserve(books, 10**9)).granted


async def test_the_question_is_answered_over_the_broker(servers: Servers, books: Books) -> None:
    bus = await connect(servers.nats("analytics"), "test")
    # A method of its own: other tests may run the service itself on these servers.
    method = f"reserve_{uuid4().hex}"
    server = rpc.RpcServer(bus, "analytics", method, ReserveRequest, partial(usecases.reserve, books.deps))
    await server.start()
    request = ReserveRequest(reservation_id=str(new_id()), org_id=str(books.org_id), characters=5)
    reply = await rpc.call(bus, "analytics", method, request, ReserveReply, patience=5)
    assert reply.granted
    await server.stop()
    await bus.close()
