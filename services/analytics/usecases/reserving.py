"""Setting aside what a generation or a voice is going to use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from services.analytics import domain, store
from services.analytics.domain import Quota
from services.analytics.usecases.deps import Deps

SWEPT_AT_ONCE = 500


async def reserve(deps: Deps, request: ReserveRequest) -> ReserveReply:
    """Set something aside if the plan covers it; asking twice reserves once. Or give it back."""
    org_id, reservation_id = UUID(request.org_id), UUID(request.reservation_id)
    if request.release:
        async with deps.database.transaction(org_id) as session:
            await store.release_reservations(session, [(reservation_id, org_id)], next(iter(_asked(request))))
        return ReserveReply(granted=True)
    decision = await _reserve(deps, org_id, reservation_id, request)
    return ReserveReply(
        granted=decision.granted,
        limit=decision.limit or 0,
        remaining=decision.remaining,
        resets_at=int(decision.resets_at.timestamp()) if decision.resets_at else 0,
        concurrency=decision.concurrency,
        unit=decision.quota.value,
    )


async def _reserve(deps: Deps, org_id: UUID, reservation_id: UUID, request: ReserveRequest) -> domain.Decision:
    asked = _asked(request)
    now = deps.clock()
    resets_at = domain.end_of(domain.period_of(now))
    quota = next(iter(asked))
    # Where nothing is compared, nothing needs to be held, and nobody has to wait for anybody.
    known = deps.unlimited.get(org_id)
    if known is not None:
        return domain.Decision(True, None, 0, resets_at, known.concurrency, quota)
    async with deps.database.transaction(org_id) as session:
        subscription = await store.get_subscription(session, org_id)
        limits = deps.plans[domain.plan_in_force(subscription, default=deps.default_plan, now=now)]
        if limits.is_unlimited:
            deps.unlimited.keep(org_id, limits)
            return domain.Decision(True, None, 0, resets_at, limits.concurrency, quota)
        await store.lock_organization(session, org_id)
        standing = await store.get_standing(session, org_id, domain.period_of(now), now)
        earlier = await store.get_reservation(session, reservation_id)
        answer = earlier.answer(now, again=request.again) if earlier else None
        if answer is not None:
            limit = limits.of(quota)
            left = standing.left(quota, limit) if limit is not None else 0
            return domain.Decision(answer, limit, left, resets_at, limits.concurrency, quota)
        decision = domain.decide_all(asked, standing, limits, resets_at)
        if decision.granted:
            await store.hold_reservation(
                session,
                reservation_id=reservation_id,
                org_id=org_id,
                unit=quota,
                quantity=asked[quota],
                expires_at=now + _lifetime(request),
            )
    return replace(decision, concurrency=limits.concurrency)


def _asked(request: ReserveRequest) -> Mapping[Quota, int]:
    return domain.VOICE if request.unit == Quota.CUSTOM_VOICES else domain.speech(request.characters)


def _lifetime(request: ReserveRequest) -> timedelta:
    if request.lifetime_seconds:
        return timedelta(seconds=request.lifetime_seconds)
    is_voice = request.unit == Quota.CUSTOM_VOICES
    return domain.VOICE_RESERVATION_LIFETIME if is_voice else domain.RESERVATION_LIFETIME


async def release_expired(deps: Deps, now: datetime) -> int:
    """Release what was set aside for too long; return how much that was. What is heard of it later still counts."""
    released = 0
    while True:
        async with deps.database.transaction() as session:
            expired = await store.list_expired(session, now, SWEPT_AT_ONCE)
        by_org: dict[UUID, list[UUID]] = defaultdict(list)
        for reservation_id, org_id in expired:
            by_org[org_id].append(reservation_id)
        for org_id, ids in by_org.items():
            async with deps.database.transaction(org_id) as session:
                released += await store.release_expired(session, ids, now)
        if len(expired) < SWEPT_AT_ONCE:
            return released
