"""Quotas beside characters; thresholds that are told once; subscriptions and what expires; sums that differ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from libs.contracts.antiphon.analytics.v1.events_pb2 import QuotaThresholdReached, SubscriptionChanged
from libs.contracts.antiphon.analytics.v1.rpc_pb2 import (
    ChangeSubscriptionReply,
    ChangeSubscriptionRequest,
    ReserveReply,
    ReserveRequest,
)
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, MediaRemoved, MediaStored
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceCreated, VoiceDeleted, VoiceSubmitted
from libs.contracts.registry import decode
from libs.ids import new_id
from libs.web import Caller
from services.analytics import domain, usecases
from services.analytics.consumers import (
    begin_subscriptions,
    count_audio,
    count_media,
    count_recordings,
    count_voices,
    forget_audio,
    forget_media,
    forget_voices,
    record_usage,
)
from services.analytics.domain import Plan, Plans, Quota
from tests.integration.analytics.conftest import NOW, Books


@pytest.fixture
async def free(books: Books) -> Books:
    """An organisation on a small free plan."""
    limits = {"characters": 1000, "requests": 20, "audio_seconds": 100, "stored_bytes": 500, "custom_voices": 3}
    deps = replace(books.deps, plans=Plans.changed({"free": limits}))
    await usecases.keep_limits(deps)
    created = OrganizationCreated(org_id=str(books.org_id), name="x", plan="free", created_at=NOW - timedelta(days=1))
    small = replace(books, deps=deps)
    await small.apply(begin_subscriptions, created)
    return small


async def reserve(books: Books, characters: int = 1, reservation_id: UUID | None = None) -> ReserveReply:
    request = ReserveRequest(
        reservation_id=str(reservation_id or new_id()), org_id=str(books.org_id), characters=characters
    )
    return await usecases.reserve(books.deps, request)


async def reserve_voice(books: Books, voice_id: UUID | None = None, *, release: bool = False) -> ReserveReply:
    request = ReserveRequest(
        reservation_id=str(voice_id or new_id()), org_id=str(books.org_id), unit="custom_voices", release=release
    )
    return await usecases.reserve(books.deps, request)


async def change(books: Books, plan: str, **fields: str | int) -> ChangeSubscriptionReply:
    request = ChangeSubscriptionRequest(org_id=str(books.org_id), plan=plan)
    for name, value in ({"status": "active"} | fields).items():
        setattr(request, name, value)
    return await usecases.change_subscription(books.deps, request)


async def told(books: Books, event: type[Message]) -> Sequence[Message]:
    """What was told of the organisation, in its order."""
    name = event.DESCRIPTOR.full_name
    async with books.database.transaction(books.org_id) as session:
        query = text("select payload from outbox where type_name = :name order by seq")
        rows = (await session.execute(query, {"name": name})).scalars().all()
    return [one for row in rows if (one := decode(name, row)).org_id == str(books.org_id)]  # type: ignore[attr-defined]


async def thresholds(books: Books) -> list[tuple[str, int]]:
    events = [one for one in await told(books, QuotaThresholdReached) if isinstance(one, QuotaThresholdReached)]
    return [(one.unit, one.percent) for one in events]


async def changes(books: Books) -> list[SubscriptionChanged]:
    return [one for one in await told(books, SubscriptionChanged) if isinstance(one, SubscriptionChanged)]


def at(books: Books, moment: datetime) -> Books:
    return replace(books, deps=replace(books.deps, clock=lambda: moment))


async def test_thresholds_are_told_once_by_the_transaction_that_crosses_them(free: Books) -> None:
    for characters in (790, 10, 150):
        await free.apply(record_usage, free.completed(characters=characters, seconds=0))
    assert await thresholds(free) == [("characters", 80)]
    await asyncio.gather(*(free.apply(record_usage, free.completed(characters=25, seconds=0)) for _ in range(4)))
    assert await thresholds(free) == [("characters", 80), ("characters", 100)]
    last_month = free.completed(characters=800, seconds=0, at=domain.end_of(domain.period_of(NOW)))
    await free.apply(record_usage, last_month)
    assert [percent for _, percent in await thresholds(free)] == [80, 100, 80]


@pytest.fixture
async def unknown(books: Books) -> AsyncIterator[Books]:
    """An organisation that never subscribed, where the plan of those is a small free one."""
    limits = {"characters": 1000, "custom_voices": 5}
    deps = replace(books.deps, plans=Plans.changed({"free": limits}), default_plan=Plan.FREE)
    await usecases.keep_limits(deps)
    yield replace(books, deps=deps)
    await usecases.keep_limits(books.deps)


async def test_who_never_subscribed_is_told_of_the_default_plans_thresholds_once_a_month(unknown: Books) -> None:
    used: list[tuple[str, int]] = []
    for characters, new in ((799, []), (1, [80]), (150, []), (50, [100]), (500, [])):
        await unknown.apply(record_usage, unknown.completed(characters=characters, seconds=0))
        used += [("characters", percent) for percent in new]
        assert await thresholds(unknown) == used
    made = [new_id() for _ in range(5)]
    for number, one in enumerate(made):
        voice = VoiceCreated(voice_id=str(one), org_id=str(unknown.org_id), variant="CUSTOM", created_at=NOW)
        await asyncio.gather(*(unknown.apply(count_voices, voice) for _ in range(2)))
        used += {3: [("custom_voices", 80)], 4: [("custom_voices", 100)]}.get(number, [])
        assert await thresholds(unknown) == used
    next_month = unknown.completed(characters=1000, seconds=0, at=domain.end_of(domain.period_of(NOW)))
    await unknown.apply(record_usage, next_month)
    assert (await thresholds(unknown))[4:] == [("characters", 80), ("characters", 100)]


async def test_where_the_default_plan_has_no_limit_nothing_is_told_until_the_subscription_is_known(
    unknown: Books, books: Books
) -> None:
    await usecases.keep_limits(replace(unknown.deps, default_plan=Plan.ENTERPRISE))
    await books.apply(record_usage, books.completed(characters=900, seconds=0))
    assert await thresholds(books) == []
    created = OrganizationCreated(org_id=str(books.org_id), name="x", plan="free", created_at=NOW)
    for _ in range(2):
        await books.apply(begin_subscriptions, created)
    assert await thresholds(books) == [("characters", 80)]


async def test_seconds_are_refused_once_their_sum_is_over(free: Books) -> None:
    await free.apply(record_usage, free.completed(characters=1, seconds=99))
    assert (await reserve(free)).granted
    await free.apply(record_usage, free.completed(characters=1, seconds=30))
    refused = await reserve(free)
    assert (refused.granted, refused.unit, refused.limit, refused.remaining) == (False, "audio_seconds", 100, 0)
    assert refused.resets_at == int(domain.end_of(domain.period_of(datetime.now(UTC))).timestamp())
    assert ("audio_seconds", 100) in await thresholds(free)


async def test_requests_are_counted_with_those_that_are_being_made(free: Books) -> None:
    replies = await asyncio.gather(*(reserve(free) for _ in range(30)))
    assert sum(one.granted for one in replies) == 20
    refused = next(one for one in replies if not one.granted)
    assert (refused.unit, refused.limit, refused.remaining) == ("requests", 20, 0)


async def test_of_voices_asked_for_at_once_as_many_are_made_as_fit(free: Books) -> None:
    ids = [new_id() for _ in range(12)]
    replies = await asyncio.gather(*(reserve_voice(free, one) for one in ids))
    granted = [one for one, reply in zip(ids, replies, strict=True) if reply.granted]
    assert len(granted) == 3
    made = [
        VoiceCreated(voice_id=str(one), org_id=str(free.org_id), variant="CUSTOM", created_at=NOW) for one in granted
    ]
    for _ in range(2):
        await free.apply(count_voices, *made)
    refused = await reserve_voice(free)
    assert (refused.granted, refused.unit, refused.resets_at) == (False, "custom_voices", 0)
    gone = VoiceDeleted(voice_id=str(granted[0]), org_id=str(free.org_id))
    await free.apply(forget_voices, gone)
    assert (await reserve_voice(free)).granted
    assert not (await reserve_voice(free)).granted
    assert await thresholds(free) == [("custom_voices", 80), ("custom_voices", 100)]


async def test_a_voice_that_was_not_made_gives_its_place_back(free: Books) -> None:
    ids = [new_id() for _ in range(3)]
    for one in ids:
        assert (await reserve_voice(free, one)).granted
    assert not (await reserve_voice(free)).granted
    await reserve_voice(free, ids[0], release=True)
    assert (await reserve_voice(free)).granted


async def test_what_is_stored_is_counted_by_thing_in_any_order(free: Books) -> None:
    audio, voice = new_id(), new_id()

    def made(size: int, audio_id: UUID) -> Message:
        event = free.completed()
        event.size_bytes, event.audio_id = size, str(audio_id)
        return event

    def submitted(size: int, revision: int) -> Message:
        return VoiceSubmitted(
            voice_id=str(voice), org_id=str(free.org_id), submitted_at=NOW, size_bytes=size, revision=revision
        )

    deleted = AudioDeleted(generation_id=str(audio), org_id=str(free.org_id), size_bytes=400)
    level = "select quantity from levels where org_id = :org and unit = 'stored_bytes'"
    # Two share the audio, and an old recording is told of late.
    await free.apply(count_audio, made(400, audio), made(400, audio), made(30, new_id()))
    await free.apply(count_recordings, submitted(60, 2))
    await free.apply(count_recordings, submitted(90, 1))
    assert await free.value(level) == 490
    assert (await reserve(free)).granted
    await free.apply(count_audio, made(10, new_id()))
    refused = await reserve(free)
    assert (refused.granted, refused.unit, refused.limit) == (False, "stored_bytes", 500)
    await free.apply(forget_audio, deleted)
    await free.apply(count_audio, made(400, audio))
    assert await free.value(level) == 100
    await free.apply(forget_voices, VoiceDeleted(voice_id=str(voice), org_id=str(free.org_id)))
    assert await free.value(level) == 40
    assert (await reserve(free)).granted
    media = {"media_id": str(new_id()), "org_id": str(free.org_id), "size_bytes": 60}
    await free.apply(count_media, MediaStored(**media, stored_at=NOW))  # type: ignore[arg-type]
    assert await free.value(level) == 100
    await free.apply(forget_media, MediaRemoved(**media))  # type: ignore[arg-type]
    assert await free.value(level) == 40


async def test_an_upgrade_in_the_middle_gives_the_new_limit_and_what_is_used_stays_used(free: Books) -> None:
    await free.apply(record_usage, free.completed(characters=1000))
    assert not (await reserve(free)).granted
    upgraded = await change(free, "pro")
    assert (upgraded.plan, upgraded.plan_in_force, upgraded.refusal) == ("pro", "pro", "")
    granted = await reserve(free)
    assert (granted.granted, granted.limit, granted.remaining) == (True, 500_000, 500_000 - 1001)
    await change(free, "pro")
    assert [one.plan for one in await told(free, SubscriptionChanged) if isinstance(one, SubscriptionChanged)] == [
        "pro"
    ]


async def test_a_refused_change_says_which_field(free: Books) -> None:
    refused = await change(free, "pro", end_date=1)
    assert (refused.refusal_field, refused.plan) == ("end_date", "")
    assert await changes(free) == []


async def test_what_ends_by_time_is_told_of_exactly_once(free: Books) -> None:
    await change(free, "pro", end_date=int((datetime.now(UTC) + timedelta(days=2)).timestamp()))
    later = at(free, datetime.now(UTC) + timedelta(days=3))
    await asyncio.gather(*(usecases.apply_due_changes(later.deps, later.deps.clock()) for _ in range(30)))
    await usecases.sweep_once(later.deps)
    events = await changes(free)
    assert [(one.status, one.plan_in_force) for one in events] == [("active", "pro"), ("expired", "free")]
    assert events[1].revision > events[0].revision


async def test_a_downgrade_below_what_is_used_tells_the_thresholds_when_it_counts(free: Books) -> None:
    await change(free, "pro")
    await free.apply(record_usage, free.completed(characters=900, seconds=0))
    assert await thresholds(free) == []
    await change(free, "free", effective="now")
    assert await thresholds(free) == [("characters", 80)]


async def test_expired_reservations_are_released_and_what_is_heard_later_still_counts_once(free: Books) -> None:
    late = new_id()
    assert (await reserve(free, 600, late)).granted
    later = at(free, datetime.now(UTC) + domain.RESERVATION_LIFETIME + timedelta(seconds=1))
    await usecases.sweep_once(later.deps)
    status = text("select status from reservations where id = :id")
    async with free.database.transaction(free.org_id) as session:
        assert (await session.execute(status, {"id": late})).scalar_one() == "released"
    spoken = free.completed(characters=600, seconds=0)
    spoken.generation_id = str(late)
    for _ in range(3):
        await free.apply(record_usage, spoken)
    used = "select quantity from usage_totals where org_id = :org and unit = 'characters'"
    assert await free.value(used) == 600


async def test_the_subscription_says_what_is_left_of_everything(free: Books) -> None:
    await free.apply(record_usage, free.completed(characters=100, seconds=10.9))
    await reserve(free, 50)
    caller = Caller(free.org_id, new_id())
    subscription, period = await usecases.get_subscription(free.deps, caller)
    assert subscription is not None
    assert subscription.plan == "free"
    standing = period.standing
    assert standing.left(Quota.CHARACTERS, 1000) == 850
    assert standing.left(Quota.AUDIO_SECONDS, 100) == 90
    assert (standing.used[Quota.REQUESTS], standing.reserved[Quota.REQUESTS]) == (1, 1)
