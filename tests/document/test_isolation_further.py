"""One organisation never notices another by what is no answer to a request: events, times, signed URLs."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack

import aiohttp
import pytest
from yarl import URL

from services.gateway.domain.access import Role
from tests.document.probes import Operation
from tests.document.tenants import CANARY, Things, made, system_voice, unknown_things
from tests.document.world import OPERATIONS, World
from tests.integration.live.running import Block, Listener, listening
from tests.support.api import Api

pytestmark = pytest.mark.timeout(300)

LISTENED_SECONDS = 30.0
TIMED, ROUNDS = 15, 3
DIFFERENT_SECONDS, DIFFERENT_SHARE = 0.002, 0.5
"""A difference between medians that would tell something, beyond what a busy machine adds to either."""


async def test_nobody_is_told_of_what_happens_in_another_organisation(world: World) -> None:
    """Every role that may listen, with no filter, and asking for their generation and voice behind their place."""
    async with AsyncExitStack() as stack:
        theirs = await stack.enter_async_context(listening(world.url, _bearer(world.their_key)))
        place = theirs.last_event_id
        ours: list[Listener] = []
        for role, key in world.our_keys.items():
            if "events:read" not in Role(role).scopes:
                continue
            for last, query in (
                (None, {}),
                (place, {}),
                (place, {"generation_id": world.their_things["generation_id"]}),
                (None, {"voice_id": world.their_things["voice_id"]}),
            ):
                ours.append(await stack.enter_async_context(listening(world.url, _bearer(key), last, **query)))
        assert len(ours) >= 4
        async with Api(world.url, world.their_key) as their_api, Api(world.url, world.our_key) as our_api:
            voice = await system_voice(our_api)
            spoken = await their_api.speak(f"The {CANARY} sings once more.", voice)
            mine = await our_api.speak("The sparrow is heard.", voice)
        await _until(theirs, str(spoken["id"]))
        heard = await asyncio.gather(*(_heard(one, str(mine["id"])) for one in ours))
    for blocks in heard:
        world.probes += 1
        told = str([block.data for block in blocks])
        assert str(spoken["id"]) not in told
        assert not [one for one in world.their_things.unmistakable if one in told]
    # Who filters nothing hears its own, after all of theirs had been told.
    assert sum(bool(blocks) for blocks in heard) >= len(heard) // 2


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def _until(listener: Listener, generation_id: str) -> None:
    while (block := await listener.next(LISTENED_SECONDS)) is not None:
        if (block.event, block.data["data"].get("generation_id")) == ("generation.completed", generation_id):
            return
    raise AssertionError("the stream ended")


async def _heard(listener: Listener, own: str) -> list[Block]:
    """What a listener is told until its own generation is completed, or nothing comes for a while."""
    blocks: list[Block] = []
    try:
        while (block := await listener.next(3.0)) is not None:
            blocks.append(block)
            if (block.event, block.data["data"].get("generation_id")) == ("generation.completed", own):
                break
    except TimeoutError:
        pass
    return blocks


async def test_a_foreign_id_takes_as_long_as_an_unknown_one(world: World) -> None:
    """Asked in turn, and more often where they differ: a machine that is busy is so for both."""
    reads = [one for one in OPERATIONS if one.method == "GET" and one.parameters and not one.lasts]
    different: list[str] = []
    async with Api(world.url, world.our_key) as api:
        for operation in reads:
            pairs = [await _pair(api, operation, world.their_things) for _ in range(TIMED)]
            for _ in range(ROUNDS):
                if not _differ(pairs):
                    break
                pairs += [await _pair(api, operation, world.their_things) for _ in range(len(pairs))]
            else:
                different.append(f"{operation.path}: {_medians(pairs)}")
            world.probes += 2 * len(pairs)
    assert not different


async def _pair(api: Api, operation: Operation, their_things: Things) -> tuple[float, float]:
    return (
        await _seconds(api, operation.addressed(their_things, {})),
        await _seconds(api, operation.addressed(unknown_things(), {})),
    )


async def _seconds(api: Api, path: str) -> float:
    begun = time.perf_counter()
    answer = await api.get(path)
    assert answer.status == 404, (path, answer.status)
    return time.perf_counter() - begun


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)


def _differ(pairs: list[tuple[float, float]]) -> bool:
    foreign, unknown = _medians(pairs)
    return abs(foreign - unknown) > max(DIFFERENT_SECONDS, DIFFERENT_SHARE * min(foreign, unknown))


def _signed_as(signed: URL, path: str) -> URL:
    return URL(f"{signed.origin()}{path}?{signed.raw_query_string}", encoded=True)


async def test_a_signed_url_opens_one_object_for_one_method(world: World) -> None:
    async with Api(world.url, world.our_key) as ours, Api(world.url, world.their_key) as theirs:
        mine = URL(made(await ours.get(f"/v1/tracks/{world.our_things['track_id']}/url"))["url"], encoded=True)
        foreign = URL(made(await theirs.get(f"/v1/tracks/{world.their_things['track_id']}/url"))["url"], encoded=True)
        refused = await ours.get(f"/v1/tracks/{world.their_things['track_id']}/url")
    assert refused.status == 404
    tried = [
        ("GET", _signed_as(mine, foreign.raw_path)),
        ("GET", _signed_as(mine, mine.raw_path.rpartition("/")[0] + "/")),
        ("GET", _signed_as(mine, "/")),
        ("GET", foreign.with_query(None)),
        ("PUT", mine),
        ("DELETE", mine),
    ]
    async with aiohttp.ClientSession() as client:
        for method, url in tried:
            world.probes += 1
            async with client.request(method, url, data=b"x" if method == "PUT" else None) as answer:
                assert answer.status == 403, (method, url.path, answer.status)
        async with client.get(mine) as answer:
            assert answer.status == 200, "and it is there, and as it was"
            assert len(await answer.read()) > 1000
