"""Plans of organisations: changed by the operator, and learnt from what analytics tells."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.analytics.v1.events_pb2 import SubscriptionChanged
from services.gateway.adapters.key_changes import tell_changed_keys
from services.gateway.domain.access import Credential, Role, Scope
from services.gateway.domain.members import NotOperator
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID
from services.gateway.domain.subscriptions import ChangedSubscription, OrganizationNotFound, WantedSubscription
from services.gateway.store import organizations as store
from services.gateway.usecases.acting import acting
from services.gateway.usecases.audit import record
from services.gateway.usecases.deps import Deps


async def change_subscription(
    deps: Deps, caller: Credential, org_id: UUID, wanted: WantedSubscription
) -> ChangedSubscription:
    """Change what an organisation has subscribed to, as the operator.

    Raises NotOperator, OrganizationNotFound, InvalidSubscription, and Unavailable while analytics is away.
    """
    if caller.org_id != FIRST_ORGANIZATION_ID:
        raise NotOperator
    async with deps.database.transaction(caller.org_id, org_id) as session:
        await _operator(session, deps, caller)
        if await store.get_organization(session, org_id) is None:
            raise OrganizationNotFound
    changed = await deps.plans.change(org_id, wanted)
    async with deps.database.transaction(caller.org_id) as session:
        actor = await _operator(session, deps, caller)
        details = {
            "organization": str(org_id),
            "plan": changed.plan,
            "status": changed.status,
            "next_plan": changed.next_plan,
            "end_date": changed.end_date.isoformat() if changed.end_date else None,
        }
        await record(session, actor, "subscription.changed", deps.clock(), details)
    return changed


async def _operator(session: AsyncSession, deps: Deps, caller: Credential) -> Credential:
    actor = (await acting(session, caller, Scope.ORGANIZATION_WRITE, deps.clock())).credential
    if actor.role != Role.OWNER:
        raise NotOperator
    return actor


async def learn_plans(session: AsyncSession, events: Sequence[SubscriptionChanged]) -> None:
    """Keys carry the plan that is in force; all replicas look them up anew."""
    for event in events:
        await store.save_plan(session, UUID(event.org_id), event.plan_in_force, event.revision)
    tell_changed_keys(session)
