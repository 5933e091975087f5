"""Another organisation sees and changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCanceled, GenerationDeleted
from libs.ids import new_id
from services.generation.domain import errors
from services.generation.domain.requests import DictionaryVersion, Generation
from services.generation.store import (
    attempts,
    chunks,
    dictionaries,
    endings,
    generations,
    holding,
    listing,
    renditions,
    voices,
)
from services.generation.usecases import choosing, downloading, ending, requesting, streaming
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text

TABLES = (
    "generations",
    "renditions",
    "generation_chunks",
    "speech_cache",
    "generation_attempts",
    "dictionaries",
    "dictionary_versions",
)


async def everything(world: World) -> dict[str, Sequence[Any]]:  # Any: rows
    """Return all rows that an organisation has."""
    return {table: await world.rows(f"select * from {table} order by 1, 2") for table in TABLES}  # noqa: S608 - names


async def stream(world: World, generation: Generation) -> object:
    return [part async for part in streaming.follow(world.deps, world.caller, generation)]


ACTS: dict[str, Callable[[World, Generation], Awaitable[object]]] = {
    "get": lambda world, one: requesting.get_generation(world.deps, world.caller, one.id),
    "cancel": lambda world, one: ending.cancel_generation(world.deps, world.caller, one.id),
    "retry": lambda world, one: ending.retry_generation(world.deps, world.caller, one.id),
    "delete": lambda world, one: ending.delete_generation(world.deps, world.caller, one.id),
    "download": lambda world, one: downloading.archive(world.deps, world.caller, [one.id]),
    "stream": stream,
}


@pytest.mark.parametrize("act", sorted(ACTS))
@pytest.mark.parametrize("state", ["pending", "canceled", "completed"])
async def test_nobody_acts_on_anothers_generation(world: World, act: str, state: str) -> None:
    mine = await (world.spoken if state == "completed" else world.ask)(long_text(700))
    if state == "canceled":
        await ending.cancel_generation(world.deps, world.caller, mine.id)
    before = await everything(world)
    queued = await world.rows("select * from speech_queue order by id")
    events = len(await world.emitted(GenerationCanceled, mine.id))
    other = world.elsewhere()
    with pytest.raises(errors.GenerationNotFound):
        await ACTS[act](other, mine)
    assert await everything(world) == before
    assert await world.rows("select * from speech_queue order by id") == queued
    assert len(await world.emitted(GenerationCanceled, mine.id)) == events
    assert await world.emitted(GenerationDeleted, mine.id) == []
    assert not any((await everything(other)).values())


async def test_nobody_speaks_with_anothers_voice_or_dictionary(world: World) -> None:
    voice_id = await world.known_voice()
    dictionary = await own_dictionary(world)
    other = world.elsewhere()
    with pytest.raises(errors.UnknownVoice):
        await other.ask("Hello there.", voice_id)
    with pytest.raises(errors.DictionaryNotFound):
        await other.ask("Hello there.", dictionaries=(DictionaryVersion(dictionary, 1),))
    with pytest.raises(errors.DictionaryNotFound):
        await choosing.resolve_dictionaries(other.deps, other.caller, [{"id": str(dictionary), "version": None}])
    assert not any((await everything(other)).values())


async def own_dictionary(world: World) -> UUID:
    dictionary_id = new_id()
    async with world.database.transaction(world.org_id) as session:
        await dictionaries.insert_dictionary(
            session, dictionary_id, world.org_id, name="Names", description=None, rules=[]
        )
    return dictionary_id


async def test_no_store_function_finds_anothers_rows(world: World) -> None:
    mine = await world.spoken(long_text(700))
    dictionary = await own_dictionary(world)
    assert mine.rendition_id is not None
    assert mine.voice_id is not None
    before = await everything(world)
    org_id, which = world.org_id, listing.GenerationFilter()
    async with world.database.transaction(new_id()) as session:
        # Even if it names the right organisation.
        assert await generations.get_generation(session, org_id, mine.id) is None
        assert await generations.lock_generation(session, org_id, mine.id) is None
        assert await listing.list_generations(session, org_id, which, after=None, limit=10) == []
        assert not await generations.delete_generation(session, org_id, mine.id)
        assert await endings.complete_generations(session, [mine.rendition_id]) == []
        assert await endings.fail_generations(session, mine.rendition_id, code="x", reason="x") == []
        await endings.cancel_generation(session, mine.id)
        await endings.fail_one(session, mine.id, code="x", reason="x")
        await endings.revive_generation(session, mine.id)
        await generations.clear_voice(session, [mine.voice_id])
        assert not await generations.is_referred_to(session, mine.rendition_id)
        assert await renditions.get_rendition(session, mine.rendition_id) is None
        assert await holding.hold_renditions(session, org_id, [mine.rendition_id]) == {}
        assert not await renditions.end_rendition(session, mine.rendition_id, "failed")
        await renditions.reopen_rendition(session, mine.rendition_id)
        assert await chunks.list_chunks(session, mine.rendition_id) == []
        assert await chunks.list_readings(session, mine.rendition_id) == []
        assert await renditions.list_audio(session, [mine.rendition_id]) == {}
        assert await chunks.total_samples(session, mine.rendition_id) == 0
        assert await renditions.get_times(session, mine.rendition_id) is None
        keys = [row.cache_key for row in before["speech_cache"]]
        await chunks.drop_unspoken(session, org_id, keys)
        assert await chunks.list_wanting(session, org_id, keys[0]) == []
        assert await attempts.list_attempts(session, mine.rendition_id) == []
        assert not await voices.lock_custom_voice(session, mine.voice_id)
        assert await voices.get_voice(session, mine.voice_id) is None
        assert await dictionaries.list_dictionaries(session, org_id, after=None, limit=10) == []
        with pytest.raises(errors.DictionaryNotFound):
            await dictionaries.get_rules(session, org_id, [DictionaryVersion(dictionary, 1)])
        with pytest.raises(errors.DictionaryNotFound):
            await dictionaries.delete_dictionary(session, org_id, dictionary)
    assert await everything(world) == before


async def test_without_an_organisation_nothing_is_seen(world: World) -> None:
    await world.spoken(long_text(700))
    await own_dictionary(world)
    nobody = world.elsewhere()
    assert not any((await everything(nobody)).values())
