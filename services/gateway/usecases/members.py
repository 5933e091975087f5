"""People come into an organisation, change what they are in it, and go."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.gateway.v1.events_pb2 import MemberJoined, MemberRemoved, MemberRoleChanged
from libs.ids import new_id
from services.gateway.adapters.key_changes import tell_changed_keys
from services.gateway.domain.access import Credential, Role, Scope
from services.gateway.domain.keys import Grant
from services.gateway.domain.members import (
    INVITATIONS_MOST,
    AlreadyMember,
    Invitation,
    InvitationNotFound,
    InvitedSomebodyElse,
    Member,
    MemberNotFound,
    NotAPerson,
    TooManyInvitations,
    expiry,
    require_another_owner,
    require_cover,
    token_digest,
)
from services.gateway.domain.organizations import Organization
from services.gateway.store import members as store
from services.gateway.store.exports import expire_exports_of
from services.gateway.store.keys import delete_keys_of, revoke_keys_of
from services.gateway.store.organizations import insert_membership, insert_user, lock_organization
from services.gateway.usecases.acting import acting
from services.gateway.usecases.audit import record
from services.gateway.usecases.deps import Deps
from services.gateway.usecases.keys import NewKey, add_key, tell_revoked

TOKEN_BYTES = 32
FIRST_KEY = "First key"


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody who has become a member, and their first key there."""

    organization: Organization
    member: Member
    key: NewKey


async def change_role(deps: Deps, caller: Credential, user_id: UUID, role: Role) -> Member:
    """Give a member another role. Raises MemberNotFound, BeyondOwnAccess, LastOwner."""
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.ORGANIZATION_WRITE, now)).credential
        member = await _changeable(session, actor, user_id, role)
        require_cover(actor, role, "role")
        if role == member.role:
            return member
        await store.save_role(session, actor.org_id, user_id, role)
        changed = MemberRoleChanged(org_id=str(actor.org_id), user_id=str(user_id), role=role, changed_at=now)
        outbox.add(session, changed)
        tell_changed_keys(session)
        details = {"user_id": str(user_id), "from": member.role.value, "to": role.value}
        await record(session, actor, "member.role_changed", now, details)
        return replace(member, role=role)


async def remove_member(deps: Deps, caller: Credential, user_id: UUID) -> None:
    """Take a person out of the organisation; their keys there open nothing any more.

    Raises MemberNotFound, BeyondOwnAccess, LastOwner.
    """
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.ORGANIZATION_WRITE, now)).credential
        member = await _changeable(session, actor, user_id, None)
        await drop_member(session, actor.org_id, user_id, now)
        details = {"user_id": str(user_id), "role": member.role.value}
        await record(session, actor, "member.removed", now, details)


async def erase_member(deps: Deps, caller: Credential, user_id: UUID) -> dict[str, int]:
    """Take a person out of the organisation, with all that is kept of them there; return how many rows of each table.

    Nothing but the gateway keeps anything by person. Raises MemberNotFound, BeyondOwnAccess, LastOwner.
    """
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.ORGANIZATION_WRITE, now)).credential
        member = await _changeable(session, actor, user_id, None)
        await drop_member(session, actor.org_id, user_id, now)
        counts = {
            "api_keys": await delete_keys_of(session, actor.org_id, user_id),
            "invitations": await store.delete_invitations(session, actor.org_id, member.email),
            "memberships": 1,
        }
        await expire_exports_of(session, actor.org_id, user_id, now)
        await record(session, actor, "member.erased", now, {"user_id": str(user_id), "role": member.role.value})
        return counts


async def drop_member(session: AsyncSession, org_id: UUID, user_id: UUID, now: datetime) -> int:
    """End a membership and its keys, of which the number is returned."""
    revoked = await revoke_keys_of(session, org_id, user_id, now)
    for key_id in revoked:
        tell_revoked(session, org_id, key_id, now)
    await store.delete_member(session, org_id, user_id)
    outbox.add(session, MemberRemoved(org_id=str(org_id), user_id=str(user_id), removed_at=now))
    tell_changed_keys(session)
    return len(revoked)


async def _changeable(session: AsyncSession, actor: Credential, user_id: UUID, becomes: Role | None) -> Member:
    member = await store.get_member(session, actor.org_id, user_id)
    if member is None:
        raise MemberNotFound
    require_cover(actor, member.role, "user_id")
    require_another_owner(member, becomes, await store.count_owners(session, actor.org_id))
    return member


async def invite(deps: Deps, caller: Credential, email: str, role: Role, days: int) -> tuple[Invitation, str]:
    """Invite somebody for some days; return the invitation and its token, which is nowhere else.

    Raises BeyondOwnAccess, AlreadyMember, TooManyInvitations.
    """
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.ORGANIZATION_WRITE, now)).credential
        require_cover(actor, role, "role")
        if await store.is_member(session, actor.org_id, email):
            raise AlreadyMember
        if await store.count_invitations(session, actor.org_id, now) >= INVITATIONS_MOST:
            raise TooManyInvitations
        invitation, token = Invitation(new_id(), email, role, now, expiry(now, days)), _new_token()
        await store.insert_invitation(session, actor.org_id, invitation, token_digest(token))
        details = {"invitation_id": str(invitation.id), "role": role.value}
        await record(session, actor, "invitation.created", now, details)
        return invitation, token


def _new_token() -> str:
    return "inv_" + secrets.token_urlsafe(TOKEN_BYTES)


async def revoke_invitation(deps: Deps, caller: Credential, invitation_id: UUID) -> None:
    """Take an invitation back. Raises InvitationNotFound, BeyondOwnAccess."""
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.ORGANIZATION_WRITE, now)).credential
        invitation = await store.lock_invitation(session, actor.org_id, invitation_id, now)
        if invitation is None:
            raise InvitationNotFound
        require_cover(actor, invitation.role, "invitation_id")
        await store.save_revoked(session, invitation_id, now)
        await record(session, actor, "invitation.revoked", now, {"invitation_id": str(invitation_id)})


async def accept_invitation(deps: Deps, token: str, name: str) -> Joined:
    """Make whoever has the token a member, as a new person. Raises InvitationNotFound, AlreadyMember."""
    invitation_id, org_id = await _find(deps, token)
    now = deps.clock()
    async with deps.database.transaction(org_id) as session:
        organization, invitation = await _lock(session, org_id, invitation_id, now)
        # Random throughout: the time in an id would tell whether somebody has been here for longer.
        person = Member(uuid4(), invitation.email, name, invitation.role, now)
        await insert_user(session, person.user_id, person.email, name, now)
        return await _join(session, organization, invitation, person, now)


async def join(deps: Deps, caller: Credential, token: str) -> Joined:
    """Make the person whose key this is a member of one more organisation.

    Raises InvitationNotFound, NotAPerson, InvitedSomebodyElse, AlreadyMember.
    """
    if caller.user_id is None:
        raise NotAPerson
    invitation_id, org_id = await _find(deps, token)
    now = deps.clock()
    async with deps.database.transaction(caller.org_id, org_id) as session:
        await acting(session, caller, None, now)
        here = await store.get_member(session, caller.org_id, caller.user_id)
        organization, invitation = await _lock(session, org_id, invitation_id, now)
        if here is None or here.email.lower() != invitation.email.lower():
            raise InvitedSomebodyElse
        return await _join(session, organization, invitation, replace(here, role=invitation.role, joined_at=now), now)


async def _find(deps: Deps, token: str) -> tuple[UUID, UUID]:
    async with deps.database.transaction() as session:
        found = await store.find_invitation(session, token_digest(token))
    if found is None:
        raise InvitationNotFound
    return found


async def _lock(
    session: AsyncSession, org_id: UUID, invitation_id: UUID, now: datetime
) -> tuple[Organization, Invitation]:
    organization = await lock_organization(session, org_id)
    invitation = await store.lock_invitation(session, org_id, invitation_id, now)
    if organization is None or invitation is None:
        raise InvitationNotFound
    return organization, invitation


async def _join(
    session: AsyncSession, organization: Organization, invitation: Invitation, person: Member, now: datetime
) -> Joined:
    if await store.is_member(session, organization.id, person.email):
        raise AlreadyMember
    await store.save_accepted(session, invitation.id, now)
    details = {"invitation_id": str(invitation.id)}
    return await welcome(session, organization, person, "invitation.accepted", details, now)


async def welcome(
    session: AsyncSession,
    organization: Organization,
    person: Member,
    action: str,
    details: dict[str, str],
    now: datetime,
) -> Joined:
    """Write down a membership of a person who is written down, and make the first key for it."""
    await insert_membership(session, organization.id, person.user_id, person.role, now)
    joined = MemberJoined(
        org_id=str(organization.id), user_id=str(person.user_id), role=person.role.value, joined_at=now
    )
    outbox.add(session, joined)
    credential = Credential(
        organization.id, new_id(), person.user_id, person.role.scopes, organization.plan, person.role
    )
    key = await add_key(session, credential, Grant(person.user_id, None, None, None), FIRST_KEY, now)
    # Who joins acts with the key that they get by that.
    actor = replace(credential, key_id=key.made.key.id)
    joining = {**details, "user_id": str(person.user_id), "role": person.role.value}
    await record(session, actor, action, now, joining)
    return Joined(organization, person, key)
