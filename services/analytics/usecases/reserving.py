"""Setting aside what a generation is going to use."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from services.analytics import domain, store
from services.analytics.usecases.deps import Deps


async def reserve(deps: Deps, request: ReserveRequest) -> ReserveReply:
    """Set characters aside for a generation if the plan covers them; asking twice reserves once."""
    org_id, reservation_id = UUID(request.org_id), UUID(request.reservation_id)
    decision = await _reserve(deps, org_id, reservation_id, request.characters, again=request.again)
    return ReserveReply(
        granted=decision.granted,
        limit=decision.limit or 0,
        remaining=decision.remaining,
        resets_at=int(decision.resets_at.timestamp()),
        concurrency=decision.concurrency,
    )


async def _reserve(deps: Deps, org_id: UUID, reservation_id: UUID, characters: int, *, again: bool) -> domain.Decision:
    now = deps.clock()
    period = domain.period_of(now)
    resets_at = domain.end_of(period)
    # Where nothing is compared, nothing needs to be held, and nobody has to wait for anybody.
    free = domain.decide(asked=characters, used=0, reserved=0, limit=None, resets_at=resets_at)
    known = deps.unlimited.get(org_id)
    if known is not None:
        return replace(free, concurrency=known.concurrency)
    async with deps.database.transaction(org_id) as session:
        subscription = await store.get_subscription(session, org_id)
        plan = domain.plan_in_force(subscription, default=deps.default_plan, now=now)
        if plan.characters is None:
            deps.unlimited.keep(org_id, plan)
            return replace(free, concurrency=plan.concurrency)
        await store.lock_organization(session, org_id)
        earlier = await store.get_reservation(session, reservation_id)
        used, reserved = await store.used_and_reserved(session, org_id, period, now)
        answer = earlier.answer(now, again=again) if earlier else None
        if answer is not None:
            left = max(0, plan.characters - used - reserved)
            return domain.Decision(answer, plan.characters, left, resets_at, plan.concurrency)
        decision = domain.decide(
            asked=characters, used=used, reserved=reserved, limit=plan.characters, resets_at=resets_at
        )
        if decision.granted:
            await store.hold_reservation(
                session,
                reservation_id=reservation_id,
                org_id=org_id,
                characters=characters,
                expires_at=now + domain.RESERVATION_LIFETIME,
            )
    return replace(decision, concurrency=plan.concurrency)
