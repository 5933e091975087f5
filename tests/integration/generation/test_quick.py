"""Where audio lies is said again from memory, to those who were told, until its generation is deleted."""

from __future__ import annotations

import pytest

from libs.web import IdentityVerifier, create_app
from services.generation.api import PROBLEMS, router
from services.generation.api.quick import QuickHandover
from tests.integration.generation.conftest import World
from tests.integration.generation.test_hostile_requests import KEY, Client


@pytest.fixture
def client(world: World) -> Client:
    async def ready() -> dict[str, bool]:
        return {}

    identity = IdentityVerifier("generation", KEY)
    app = create_app("generation", router, identity=identity, problems=PROBLEMS, readiness=ready, deps=world.deps)
    return Client(QuickHandover(app, world.deps, identity), world)


async def test_a_deleted_generation_is_gone_at_once_however_often_it_was_asked_for(
    world: World, client: Client
) -> None:
    async with world.working():
        generation = await world.spoken("Hear me again.")
    path = f"/v1/generations/{generation.id}/audio"
    answers = [await client.send("GET", path) for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert world.deps.known_audio.get(world.org_id, path) is not None
    assert (await Client(client.app, world.elsewhere()).send("GET", path)).status == 404
    assert (await client.send("GET", path, headers={"x-antiphon-identity": "nobody"})).status == 401
    assert (await client.send("DELETE", f"/v1/generations/{generation.id}")).status == 204
    assert (await client.send("GET", path)).status == 404


async def test_what_is_being_made_is_asked_for_every_time(world: World, client: Client) -> None:
    path = f"/v1/generations/{(await world.ask('Not yet.')).id}/audio"
    assert (await client.send("GET", path)).status == 409
    assert world.deps.known_audio.get(world.org_id, path) is None
