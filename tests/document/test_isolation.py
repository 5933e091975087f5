"""One organisation never notices another: whatever ids it tries, the answer is that of an id that nothing has."""

from __future__ import annotations

import asyncio
import json

import pytest

from deploy.setup.openapi.__main__ import DOCUMENT
from services.gateway.domain.access import Role
from tests.document.probes import Probe, Seen, ask, probes_of
from tests.document.tenants import (
    CANARY,
    MAKERS,
    NOT_OF_TENANTS,
    WITHIN,
    Things,
    malformed_things,
    system_voice,
    unknown_things,
)
from tests.document.world import MOVING, NOTHING, OPERATIONS, SEARCHES, World
from tests.support.api import Api

pytestmark = pytest.mark.timeout(300)

SCHEMAS = json.loads(DOCUMENT.read_text(encoding="utf-8"))["components"]["schemas"]


def test_every_parameter_can_be_tried() -> None:
    named = {name for operation in OPERATIONS for name in operation.parameters}
    further = named - {*MAKERS, *WITHIN, *NOT_OF_TENANTS}
    assert not further, f"say in tests/document/tenants.py how to make what {sorted(further)} name"


async def test_what_is_somebody_elses_is_as_if_it_were_not_there(world: World) -> None:
    """Each operation, each place of an id, each role: a foreign, a deleted and an unknown id are answered alike."""
    await asyncio.gather(*(_probe_all(world, role, key) for role, key in world.our_keys.items()))
    print(f"{world.probes} probes of {len(OPERATIONS)} operations")
    assert world.probes > 1_000


async def _probe_all(world: World, role: Role, key: str) -> None:
    async with Api(world.url, key) as api:
        for operation in (one for one in OPERATIONS if not one.lasts):
            for probe in probes_of(operation, world.our_things, SCHEMAS):
                await _probe(world, api, role, probe)


async def _probe(world: World, api: Api, role: Role, probe: Probe) -> None:
    unknown = unknown_things()
    expected = await _seen(world, api, probe, unknown)
    where = f"{probe.operation.method} {probe.operation.path}, {probe.what}, as {role}"
    by_path = any(place in probe.operation.parameters for place in probe.places)
    assert expected.status < 500, (where, expected)
    assert expected.status >= 400 or not by_path, (where, expected)
    for what, things in (
        ("foreign", world.their_things),
        ("foreign and deleted", world.their_former_things),
        ("deleted", world.our_former_things),
    ):
        assert await _seen(world, api, probe, things) == expected, f"{where}: {what} differs from unknown"
    # What is no id is none before anybody looks who asks.
    for things in malformed_things() if role is Role.OWNER else ():
        seen = await _seen(world, api, probe, things)
        assert seen.status in (expected.status, 404, 422, 400), (where, things, seen)


async def _seen(world: World, api: Api, probe: Probe, things: Things) -> Seen:
    world.probes += 1
    answer = await ask(api, probe, things)
    assert CANARY.encode() not in answer.content.lower(), (probe, answer.content)
    return Seen.of(answer, things)


async def test_lists_counts_usage_and_search_show_only_what_is_ones_own(world: World) -> None:
    """They were the same before the other organisation had anything, and nothing of it is in them for any role."""
    assert world.after.keys() == world.before.keys()
    for name, seen in world.after.items():
        assert seen.body == world.before[name].body or name in MOVING, name
    for key in world.our_keys.values():
        async with Api(world.url, key) as api:
            for name, seen in (await collections_allowed(api)).items():
                world.probes += 1
                assert CANARY not in seen.body.lower(), name
                assert not [one for one in world.their_things.unmistakable if one in seen.body], name


async def collections_allowed(api: Api) -> dict[str, Seen]:
    """What a role sees where no id is named; that it may not see something is an answer, too."""
    seen = {}
    for operation in OPERATIONS:
        if operation.collection is not None:
            answer = await api.get(operation.collection)
            assert answer.status in (200, 403), (operation.path, answer.content)
            seen[operation.path] = Seen.of(answer, NOTHING)
    for search in SEARCHES:
        seen[search["mode"]] = Seen.of(await api.post("/v1/search", json=search), NOTHING)
    return seen


async def test_nobody_without_a_key_sees_anything(world: World) -> None:
    for key in (None, "ant_" + "x" * 40):
        async with Api(world.url, key) as stranger:
            for operation in OPERATIONS:
                if operation.needs_key:
                    world.probes += 1
                    body = {"json": operation.body} if operation.body is not None else {}
                    answer = await stranger.ask(operation.method, operation.addressed(world.their_things, {}), **body)
                    assert answer.status == 401, (operation, answer.status)


async def test_an_idempotency_key_is_an_organisations_own(world: World) -> None:
    headers = {"Idempotency-Key": "the-same-for-both"}
    async with Api(world.url, world.their_key) as their_api, Api(world.url, world.our_key) as our_api:
        request = {"text": f"The {CANARY} sings once.", "voice_id": await system_voice(their_api)}
        theirs = await their_api.post("/v1/generations", json=request, headers=headers)
        request |= {"text": "The sparrow sings."}
        ours = await our_api.post("/v1/generations", json=request, headers=headers)
    assert (theirs.status, ours.status) == (202, 202), (theirs.content, ours.content)
    assert theirs.json["id"] != ours.json["id"]
    assert CANARY.encode() not in ours.content


async def test_their_things_are_as_they_were(world: World) -> None:
    """After all that was tried. (Tests come in any order; what is theirs has to be there after each.)"""
    async with Api(world.url, world.their_key) as theirs:
        for operation in OPERATIONS:
            if operation.method == "GET" and operation.parameters and not operation.lasts:
                answer = await theirs.get(operation.addressed(world.their_things, {}))
                assert answer.status == 200, (operation, answer.status, answer.content)
