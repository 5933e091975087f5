"""What organisations subscribe to: changed by the operator, and by time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.analytics.v1.events_pb2 import SubscriptionChanged
from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ChangeSubscriptionReply, ChangeSubscriptionRequest
from libs.web import Caller
from services.analytics import domain, store
from services.analytics.domain import Plan, Subscription, WantedSubscription
from services.analytics.usecases.deps import Deps
from services.analytics.usecases.thresholds import tell_standing

SWEPT_AT_ONCE = 500


async def change_subscription(deps: Deps, request: ChangeSubscriptionRequest) -> ChangeSubscriptionReply:
    """Change what an organisation has subscribed to; doing it twice changes it once."""
    org_id, now = UUID(request.org_id), deps.clock()
    wanted = WantedSubscription(
        plan=Plan(request.plan),
        status="cancelled" if request.status == "cancelled" else "active",
        effective=cast("domain.Effective | None", request.effective or None),
        end_date=datetime.fromtimestamp(request.end_date, UTC) if request.end_date else None,
    )
    async with deps.database.transaction(org_id) as session:
        await store.lock_organization(session, org_id)
        known = await store.get_subscription(session, org_id)
        try:
            changed = domain.change(known, wanted, now=now, period_end=domain.end_of(domain.period_of(now)))
        except domain.InvalidChange as error:
            return ChangeSubscriptionReply(refusal_field=error.field, refusal=error.message)
        if changed != known:
            await _save(session, org_id, changed, now)
    deps.unlimited.forget(org_id)
    return ChangeSubscriptionReply(
        plan=changed.plan,
        status=changed.status,
        plan_in_force=domain.plan_in_force(changed, default=deps.default_plan, now=now),
        start_date=_seconds(changed.start_date),
        end_date=_seconds(changed.end_date),
        next_plan=changed.next_plan or "",
        changes_at=_seconds(changed.changes_at),
    )


async def apply_due_changes(deps: Deps, now: datetime) -> int:
    """Let subscriptions end and plans change whose time has come; return how many. Each is told of once."""
    changed = 0
    while True:
        async with deps.database.transaction() as session:
            due = await store.list_due_subscriptions(session, now, SWEPT_AT_ONCE)
        for org_id in due:
            changed += await _apply_due_change(deps, org_id, now)
        if len(due) < SWEPT_AT_ONCE:
            return changed


async def _apply_due_change(deps: Deps, org_id: UUID, now: datetime) -> bool:
    async with deps.database.transaction(org_id) as session:
        # Somebody else may be doing the same, and finds it done.
        await store.lock_organization(session, org_id)
        known = await store.get_subscription(session, org_id)
        if known is None:
            return False
        current = domain.as_of(known, now)
        if current == known:
            return False
        await _save(session, org_id, current, now)
    deps.unlimited.forget(org_id)
    return True


async def _save(session: AsyncSession, org_id: UUID, subscription: Subscription, now: datetime) -> None:
    await store.save_subscription(session, org_id, subscription)
    period = domain.period_of(now)
    await tell_standing(session, org_id, await store.get_standing(session, org_id, period, now), period, now)
    outbox.add(
        session,
        SubscriptionChanged(
            org_id=str(org_id),
            plan=subscription.plan,
            status=subscription.status,
            start_date=subscription.start_date,
            end_date=subscription.end_date,
            plan_in_force=domain.plan_in_force(subscription, default=Plan.FREE, now=now),
            next_plan=subscription.next_plan or "",
            changes_at=subscription.changes_at,
            revision=subscription.revision,
            changed_at=now,
        ),
    )


def _seconds(moment: datetime | None) -> int:
    return int(moment.timestamp()) if moment else 0


async def get_subscription(deps: Deps, caller: Caller) -> tuple[Subscription | None, domain.PeriodOfQuotas]:
    """Return what the caller's organisation has subscribed to, and how it stands with what that covers."""
    now = deps.clock()
    period = domain.period_of(now)
    async with deps.database.transaction(caller.org_id) as session:
        subscription = await store.get_subscription(session, caller.org_id)
        standing = await store.get_standing(session, caller.org_id, period, now)
    current = domain.as_of(subscription, now) if subscription else None
    plan = domain.plan_in_force(current, default=deps.default_plan, now=now)
    return current, domain.PeriodOfQuotas(plan, deps.plans[plan], standing, domain.end_of(period))
