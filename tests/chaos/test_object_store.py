"""The object store is away, full, or fails now and then: nothing is said to be stored that is not, all is completed.

Clients of every kind go on meanwhile. What they are told is true: done, accepted and done later, or 503 and when to
come again. Nobody has to mend anything afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tests.chaos.audit import audit
from tests.chaos.claims import Claims
from tests.chaos.deposits import Deposits
from tests.chaos.processes import down, paused
from tests.chaos.proxied import stack_with_faulty_s3
from tests.support.api import Api
from tests.support.faulty_s3 import Choice, Fault, FaultyS3, always, healthy, sometimes
from tests.support.polling import eventually
from tests.support.stack import Stack

WRITES = ("PUT", "POST")
A_FIFTH = 0.2
ARRIVING_SECONDS = 3.0
"""What was on its way when the store went may still be written down for so long."""
REST_SECONDS = 300.0
"""Beside other work, indexing every voice of a new stack alone takes minutes."""

Outage = Callable[[Stack, FaultyS3, Claims], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def away(stack: Stack, _s3: FaultyS3, claims: Claims) -> AsyncIterator[None]:
    """Kill the server and keep it dead."""
    async with down(stack, "s3"), nothing_new(claims):
        yield


@asynccontextmanager
async def hung(stack: Stack, _s3: FaultyS3, claims: Claims) -> AsyncIterator[None]:
    """Stop the server: it takes what is sent to it, and answers nothing."""
    with paused(stack, "s3"):
        async with nothing_new(claims):
            yield


@asynccontextmanager
async def nothing_new(claims: Claims) -> AsyncIterator[None]:
    """Whatever is said to be stored from now on cannot be."""
    await asyncio.sleep(ARRIVING_SECONDS)
    before = await claims.made()
    yield
    claims.false += await claims.made() - before


def answering(choose: Callable[[], Choice]) -> Outage:
    @asynccontextmanager
    async def outage(_stack: Stack, s3: FaultyS3, claims: Claims) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        watching = asyncio.create_task(claims.watch(stopping))
        failed, s3.choose = s3.failed, choose()
        try:
            yield
        finally:
            s3.choose = healthy
            stopping.set()
            await watching
        assert s3.failed > failed, "nothing failed, so nothing was shown"

    return outage


full = answering(lambda: always(Fault.FULL, *WRITES))
a_fifth_fails = answering(lambda: sometimes(A_FIFTH, seed=6, of=(Fault.BUSY, Fault.BROKEN)))


async def weather(outages: list[Outage], seconds: float) -> None:
    """Let clients go on through one outage after the other; then everything has to be as if there had been none."""
    async with (
        stack_with_faulty_s3({"ANTIPHON_ENGINE_PROCESSES": "2"}) as (stack, s3),
        Api(stack.url, stack.api_key) as api,
    ):
        deposits = Deposits(api, (await api.voices())[0]["id"])
        await deposits.prepare()
        claims, stopping = Claims.of(stack), asyncio.Event()
        clients = asyncio.create_task(deposits.run(stopping))
        try:
            await all_done_once_more(deposits)
            for outage in outages:
                async with asyncio.TaskGroup() as group, outage(stack, s3, claims):
                    group.create_task(deposits.add_voice())
                    await asyncio.sleep(seconds)
                await all_done_once_more(deposits)
            stopping.set()
            await clients
            await nothing_is_missing(stack, api, deposits, claims)
        finally:
            stopping.set()
            clients.cancel()
            await asyncio.gather(clients, return_exceptions=True)
            await claims.close()


async def all_done_once_more(deposits: Deposits) -> None:
    """Wait until every kind of client has been served, by itself, once more."""
    before = deposits.served()

    async def all_done() -> bool:
        assert deposits.problems == []
        return all(now > then for now, then in zip(deposits.served(), before, strict=True))

    await eventually(all_done, within=60, what=f"every kind of client served again, after {deposits.refused}")


async def nothing_is_missing(stack: Stack, api: Api, deposits: Deposits, claims: Claims) -> None:
    assert deposits.problems == []
    for voice_id in deposits.voices:
        await api.until_ready(voice_id)
    findings = await audit(stack, deposits.accepted, deposits.deleted, within=REST_SECONDS)
    assert findings.problems == []
    assert findings.failed == {}
    assert findings.completed == len(deposits.accepted - deposits.deleted)
    listed = await api.get("/v1/media", params={"limit": "100"})
    assert {one["id"] for one in listed.json["items"]} <= set(deposits.media)
    for media_id, content in deposits.media.items():
        assert (await api.get(f"/v1/media/{media_id}/content")).content == content
    assert await claims.verify() > findings.completed
    assert claims.false == []
    print(f"{findings.completed} completed, {len(deposits.deleted)} deleted; refused: {dict(deposits.refused)}")


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_moments_of_every_kind_cost_nothing() -> None:
    await weather([a_fifth_fails, full, away], seconds=3)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("outage", [away, hung, full, a_fifth_fails], ids=["away", "hung", "full", "a fifth fails"])
async def test_a_minute_costs_nothing(outage: Outage) -> None:
    await weather([outage], seconds=60)
