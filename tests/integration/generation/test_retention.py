"""Audio is kept for as long as the plan says, over a year that passes by a clock of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from libs.contracts.antiphon.analytics.v1.events_pb2 import SubscriptionChanged
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated
from libs.contracts.antiphon.generation.v1.events_pb2 import AudioExpired
from services.generation.consumers import learn_plans, renew_plans
from services.generation.domain import errors
from services.generation.domain.requests import Generation, audio_of
from services.generation.domain.retention import Retention
from services.generation.usecases import downloading, ending
from services.generation.usecases.retaining import expire_audio
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text

NOW = datetime.now(UTC)
RETENTION = Retention({"free": 30, "pro": 365, "enterprise": 0})


async def has_plan(world: World, plan: str, *, since: datetime = NOW) -> None:
    event = OrganizationCreated(org_id=str(world.org_id), name="Someone", plan=plan, created_at=since)
    await world.apply(learn_plans, event)


async def changes_to(world: World, plan: str, *, revision: int, at: datetime) -> None:
    event = SubscriptionChanged(
        org_id=str(world.org_id), plan=plan, plan_in_force=plan, revision=revision, changed_at=at
    )
    await world.apply(renew_plans, event)


async def after(world: World, days: float) -> None:
    """Let so many days pass, and what has expired by then go."""
    await expire_audio(world.database, RETENTION, now=NOW + timedelta(days=days))


async def is_heard(world: World, generation: Generation) -> bool:
    try:
        audio_of(await world.get(generation.id))
    except errors.AudioExpired:
        return False
    return True


async def asked_for(world: World, generation: Generation, days: float) -> None:
    """Let a generation have been asked for on another day."""
    moment = NOW + timedelta(days=days)
    await world.change("update generations set created_at = :at where id = :id", at=moment, id=generation.id)


@pytest.mark.parametrize(("plan", "days"), [("free", 30), ("pro", 365), ("enterprise", None)])
async def test_audio_is_kept_for_as_long_as_the_plan_says(world: World, plan: str, days: int | None) -> None:
    await has_plan(world, plan)
    made = await world.spoken("Kept for a while.")
    heard = []
    for day in range(0, 400, 5):
        await after(world, day + 0.5)
        heard.append(await is_heard(world, made))
    assert heard == [days is None or day + 0.5 <= days for day in range(0, 400, 5)]


@pytest.mark.parametrize("length", [40, 1_500], ids=["whole", "pieces"])
async def test_it_goes_with_its_objects_and_the_text_stays(world: World, length: int) -> None:
    await has_plan(world, "free")
    wanted = long_text(length) or "A short one."
    made = await world.spoken(wanted)
    rendition_id = made.rendition_id
    assert rendition_id is not None
    objects = {
        row.object_key
        for query in ("select object_key from renditions", "select object_key from speech_cache")
        for row in await world.rows(f"{query} where org_id = :org", org=world.org_id)
    }
    for _ in range(2):
        await after(world, 31)
    (told,) = await world.emitted(AudioExpired, rendition_id)
    assert set(told.object_keys) == objects
    left = await world.get(made.id)
    assert (left.status, left.text, left.duration_seconds) == ("completed", wanted, made.duration_seconds)
    with pytest.raises(errors.AudioExpired):
        await downloading.archive(world.deps, world.caller, [made.id])
    # The same text is spoken anew, and what is left can be deleted.
    again = await world.spoken(wanted, made.voice_id)
    assert again.rendition_id != rendition_id
    assert await is_heard(world, again)
    await ending.delete_generation(world.deps, world.caller, made.id)


async def test_whoever_asks_for_the_same_later_keeps_it_for_longer(world: World) -> None:
    await has_plan(world, "free")
    first = await world.spoken("Asked for twice.")
    second = await world.spoken("Asked for twice.", first.voice_id)
    await asked_for(world, second, 20)
    await after(world, 49)
    assert [await is_heard(world, one) for one in (first, second)] == [True, True]
    await after(world, 51)
    assert [await is_heard(world, one) for one in (first, second)] == [False, False]


async def test_a_smaller_plan_takes_nothing_away_in_its_first_week(world: World) -> None:
    await has_plan(world, "pro")
    made = await world.spoken("Kept by the larger plan.")
    await changes_to(world, "free", revision=1, at=NOW + timedelta(days=100))
    await after(world, 106)
    assert await is_heard(world, made)
    await changes_to(world, "pro", revision=2, at=NOW + timedelta(days=106))
    # What was told before that, once more.
    await changes_to(world, "free", revision=1, at=NOW + timedelta(days=100))
    await after(world, 120)
    assert await is_heard(world, made)
    await changes_to(world, "free", revision=3, at=NOW + timedelta(days=121))
    await after(world, 129)
    assert not await is_heard(world, made)


async def test_of_whom_no_plan_is_known_everything_stays(world: World) -> None:
    made = await world.spoken("Of somebody.")
    await after(world, 4_000)
    assert await is_heard(world, made)


async def test_nobody_elses_audio_goes(world: World) -> None:
    other = world.elsewhere()
    await has_plan(world, "free")
    await has_plan(other, "enterprise")
    mine, theirs = await world.spoken("Mine."), await other.spoken("Theirs.")
    await after(world, 31)
    assert (await is_heard(world, mine), await is_heard(other, theirs)) == (False, True)
