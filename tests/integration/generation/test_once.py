"""What the gateway asks for again under one id is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.generation.v1.events_pb2 import (
    GenerationCanceled,
    GenerationCompleted,
    GenerationRequested,
)
from libs.ids import new_id
from libs.messaging import inbox
from libs.web import Once
from services.generation.domain import errors
from services.generation.domain.requests import Generation, Request
from services.generation.usecases import ending, requesting
from tests.integration.generation.conftest import World
from tests.integration.generation.test_hostile_requests import Client, client
from tests.integration.generation.texts import long_text

__all__ = ["client"]


@dataclass(frozen=True)
class Repeated:
    """One request for speech that arrives again and again."""

    world: World
    request: Request
    once: Once

    async def send(self) -> Generation:
        return await requesting.request_generation(self.world.deps, self.world.caller, self.request, self.once)


async def _repeated(world: World, wanted: str = "Hello there.", **fields: Any) -> Repeated:  # Any: as a request has
    return Repeated(world, Request(text=wanted, voice_id=await world.known_voice(), **fields), Once(new_id()))


@pytest.mark.parametrize("fields", [{}, {"use_cache": False}], ids=["shared", "alone"])
@pytest.mark.parametrize("length", [20, 1_500])
async def test_a_request_that_comes_again_is_one_generation(
    world: World, fields: Mapping[str, Any], length: int
) -> None:
    repeated = await _repeated(world, long_text(length) or "Hello there.", **fields)
    made = [await repeated.send(), *await asyncio.gather(*(repeated.send() for _ in range(3)))]
    assert {one.id for one in made} == {repeated.once.resource_id}
    assert len(await world.emitted(GenerationRequested, repeated.once.resource_id)) == 1
    assert [row.id for row in await world.rows("select id from generations")] == [repeated.once.resource_id]


@pytest.mark.parametrize("fields", [{}, {"use_cache": False}], ids=["shared", "alone"])
async def test_a_request_that_comes_twice_at_once_is_one_generation(world: World, fields: Mapping[str, Any]) -> None:
    repeated = await _repeated(world, **fields)
    made = await asyncio.gather(*(repeated.send() for _ in range(6)))
    assert {one.id for one in made} == {repeated.once.resource_id}
    assert len(await world.emitted(GenerationRequested, repeated.once.resource_id)) == 1


async def test_what_is_given_at_once_is_given_once(world: World) -> None:
    voice_id = await world.known_voice()
    await world.spoken("Hello there.", voice_id)
    repeated = Repeated(world, Request(text="Hello there.", voice_id=voice_id), Once(new_id()))
    made = await asyncio.gather(*(repeated.send() for _ in range(6)))
    assert {(one.id, one.status) for one in made} == {(repeated.once.resource_id, "completed")}
    assert len(await world.emitted(GenerationCompleted, repeated.once.resource_id)) == 1


async def test_what_was_deleted_is_not_made_again(world: World) -> None:
    repeated = await _repeated(world)
    made = await repeated.send()
    await ending.delete_generation(world.deps, world.caller, made.id)
    with pytest.raises(errors.GenerationNotFound):
        await Repeated(world, repeated.request, Once(made.id, is_made=True)).send()
    assert await world.rows("select id from generations") == []


async def test_a_generation_is_canceled_once(world: World) -> None:
    asked, once = await world.ask(), Once(new_id())
    for _ in range(2):
        canceled = await ending.cancel_generation(world.deps, world.caller, asked.id, once)
        assert canceled.status == "canceled"
    assert len(await world.emitted(GenerationCanceled, asked.id)) == 1
    other = Once(new_id())
    for _ in range(2):  # what was refused was not done
        with pytest.raises(errors.WrongState):
            await ending.cancel_generation(world.deps, world.caller, asked.id, other)


async def test_a_generation_is_begun_again_once(world: World) -> None:
    asked, once = await world.ask(), Once(new_id())
    with pytest.raises(errors.WrongState):
        await ending.retry_generation(world.deps, world.caller, asked.id, once)
    await ending.cancel_generation(world.deps, world.caller, asked.id)
    revived = await asyncio.gather(
        *(ending.retry_generation(world.deps, world.caller, asked.id, once) for _ in range(3))
    )
    assert {one.status for one in revived} == {"pending"}
    assert len(await world.emitted(GenerationRequested, asked.id)) == 2
    # It was ended by somebody else since: a late repetition does not begin it a third time.
    await ending.cancel_generation(world.deps, world.caller, asked.id)
    assert (await ending.retry_generation(world.deps, world.caller, asked.id, once)).status == "canceled"
    assert len(await world.emitted(GenerationRequested, asked.id)) == 2


async def test_what_is_begun_again_meanwhile_is_said_to_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, once, is_known = await world.ask(), Once(new_id()), inbox.is_known
    await ending.cancel_generation(world.deps, world.caller, asked.id)

    async def after_another(session: AsyncSession, consumer: str, event_id: UUID) -> bool:
        monkeypatch.undo()
        await ending.retry_generation(world.deps, world.caller, asked.id, once)
        return await is_known(session, consumer, event_id)

    monkeypatch.setattr(inbox, "is_known", after_another)
    assert (await ending.retry_generation(world.deps, world.caller, asked.id, once)).status == "pending"
    assert len(await world.emitted(GenerationRequested, asked.id)) == 2


async def test_dictionaries_and_their_versions_are_made_once(client: Client) -> None:
    told = dict(Once(new_id()).headers)
    body = {"name": "Names", "rules": [{"phrase": "Ann", "replacement": "Anne"}]}
    made = await asyncio.gather(*(client.send("POST", "/v1/dictionaries", body, told) for _ in range(3)))
    assert {answer.status for answer in made} == {201}
    assert len({answer.body for answer in made}) == 1
    (row,) = await client.world.rows("select id, version from dictionaries")
    assert (str(row.id), row.version) == (told["x-antiphon-resource-id"], 1)
    path, told = f"/v1/dictionaries/{row.id}/versions", dict(Once(new_id()).headers)
    added = await asyncio.gather(*(client.send("POST", path, {"rules": body["rules"]}, told) for _ in range(3)))
    assert {answer.status for answer in added} == {201}
    (row,) = await client.world.rows("select version from dictionaries")
    assert row.version == 2
