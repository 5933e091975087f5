"""Organisations: made by the operator, changed by those who manage them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import uuid4

from libs import outbox
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationUpdated
from libs.ids import new_id
from services.gateway.domain.access import Credential, Role, Scope
from services.gateway.domain.members import Member, NotOperator
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID, Organization, Plan
from services.gateway.store import organizations as store
from services.gateway.usecases.acting import acting
from services.gateway.usecases.audit import record
from services.gateway.usecases.deps import Deps
from services.gateway.usecases.members import Joined, welcome
from services.gateway.usecases.organizations import organization_created


@dataclass(frozen=True, slots=True)
class WantedOrganization:
    """An organisation to be made, and who owns it first."""

    name: str
    plan: Plan
    owner_email: str
    owner_name: str


async def create_organization(deps: Deps, caller: Credential, wanted: WantedOrganization) -> Joined:
    """Make an organisation with an owner and a first key for them. Raises NotOperator."""
    if caller.org_id != FIRST_ORGANIZATION_ID:
        raise NotOperator
    now = deps.clock()
    organization = Organization(new_id(), wanted.name, wanted.plan, now)
    async with deps.database.transaction(caller.org_id, organization.id) as session:
        actor = (await acting(session, caller, Scope.ORGANIZATION_WRITE, now)).credential
        if actor.role != Role.OWNER:
            raise NotOperator
        await store.insert_organization(session, organization)
        outbox.add(session, organization_created(organization))
        # Random throughout: the time in an id would tell whether somebody has been here for longer.
        owner = Member(uuid4(), wanted.owner_email, wanted.owner_name, Role.OWNER, now)
        await store.insert_user(session, owner.user_id, owner.email, owner.name, now)
        await record(session, actor, "organization.created", now, {"plan": wanted.plan})
        return await welcome(session, organization, owner, "organization.began", {"plan": wanted.plan}, now)


async def rename_organization(deps: Deps, caller: Credential, name: str) -> Organization:
    """Give the organisation another name."""
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.ORGANIZATION_WRITE, now)).credential
        organization = await store.lock_organization(session, actor.org_id)
        assert organization is not None, "its key is valid, so it is there"
        await store.save_name(session, organization.id, name)
        outbox.add(session, OrganizationUpdated(org_id=str(organization.id), name=name, updated_at=now))
        await record(session, actor, "organization.renamed", now, {})
        return replace(organization, name=name)
