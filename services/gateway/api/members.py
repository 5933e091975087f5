"""The routes of members and invitations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from libs.database import Cursor, page_of
from libs.web import PathId, as_id, told
from services.gateway.api import access_problems as problems
from services.gateway.api.api_keys import CreatedKeyView, created_key_view
from services.gateway.api.fields import Body, Email, Name, PageQuery
from services.gateway.api.parts import CredentialOf, DepsOf
from services.gateway.domain.access import Role
from services.gateway.domain.members import (
    INVITATION_DAYS,
    INVITATION_DAYS_MOST,
    Invitation,
    InvitationNotFound,
    Member,
    MemberNotFound,
)
from services.gateway.store import members as store
from services.gateway.usecases import members as usecases

router = APIRouter()

_CHANGED = told(problems.NO_MEMBER, problems.BEYOND_ROLE, problems.LAST_OWNER)
_INVITED = told(problems.BEYOND_ROLE, problems.ALREADY_MEMBER, problems.TOO_MANY_INVITATIONS)
_ACCEPTED = told(problems.NO_INVITATION, problems.ALREADY_MEMBER)
_JOINED = told(problems.NO_INVITATION, problems.ALREADY_MEMBER, problems.SOMEBODY_ELSE, problems.NOT_A_PERSON)
_ADDRESS = "ada@example.org"


class MemberView(BaseModel):
    """A person in the organisation."""

    user_id: str
    email: str = Field(examples=[_ADDRESS])
    name: str = Field(examples=["Ada"])
    role: Role
    joined_at: datetime


class MemberList(BaseModel):
    """Some members, newest first."""

    items: list[MemberView]
    next_cursor: str | None


class MemberChanges(Body):
    """What of a member can be changed."""

    role: Role


class ErasedMemberView(BaseModel):
    """What was deleted of a person."""

    counts: dict[str, int] = Field(description="How many rows of each table.")


class NewInvitation(Body):
    """Somebody to be invited."""

    email: Email = Field(examples=[_ADDRESS])
    role: Role = Role.MEMBER
    expires_in_days: int = Field(INVITATION_DAYS, ge=1, le=INVITATION_DAYS_MOST)


class InvitationView(BaseModel):
    """An invitation that waits, without its token."""

    id: str
    email: str = Field(examples=[_ADDRESS])
    role: Role
    created_at: datetime
    expires_at: datetime


class CreatedInvitationView(InvitationView):
    """An invitation that was made just now."""

    token: str = Field(description="What accepts it, shown this once: hand it to the person.")


class InvitationList(BaseModel):
    """Some invitations, newest first."""

    items: list[InvitationView]
    next_cursor: str | None


class Joining(Body):
    """An invitation to be accepted with a key that one has."""

    token: str = Field(min_length=1, max_length=200, examples=["inv_…"])


class Acceptance(Joining):
    """An invitation to be accepted."""

    name: Name = Field(examples=["Ada"])


class JoinedView(BaseModel):
    """A membership that has begun."""

    organization: str = Field(description="The organisation's name.")
    user_id: str
    role: Role
    key: CreatedKeyView


def joined_view(joined: usecases.Joined) -> JoinedView:
    """Return a membership that has begun, with its first key."""
    member = joined.member
    return JoinedView(
        organization=joined.organization.name,
        user_id=str(member.user_id),
        role=member.role,
        key=created_key_view(joined.key),
    )


def _member(member: Member) -> MemberView:
    return MemberView(
        user_id=str(member.user_id),
        email=member.email,
        name=member.name,
        role=member.role,
        joined_at=member.joined_at,
    )


def _invitation(invitation: Invitation) -> dict[str, object]:
    return {
        "id": str(invitation.id),
        "email": invitation.email,
        "role": invitation.role,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    }


@router.get("/v1/members")
async def list_members(credential: CredentialOf, deps: DepsOf, page: Annotated[PageQuery, Query()]) -> MemberList:
    """List the organisation's members, newest first."""
    after = Cursor.decode(page.cursor) if page.cursor else None
    async with deps.database.transaction(credential.org_id) as session:
        rows = await store.list_members(session, credential.org_id, after=after, limit=page.limit)
    found = page_of(rows, page.limit, lambda row: Cursor(row.joined_at, row.user_id))
    return MemberList(items=[_member(one) for one in found.items], next_cursor=found.next_cursor)


@router.get("/v1/members/{user_id}", responses=told(problems.NO_MEMBER))
async def get_member(user_id: PathId, credential: CredentialOf, deps: DepsOf) -> MemberView:
    """Return one member."""
    async with deps.database.transaction(credential.org_id) as session:
        member = await store.get_member(session, credential.org_id, as_id(user_id, MemberNotFound))
    if member is None:
        raise MemberNotFound
    return _member(member)


@router.patch("/v1/members/{user_id}", responses=_CHANGED)
async def change_member(user_id: PathId, changes: MemberChanges, credential: CredentialOf, deps: DepsOf) -> MemberView:
    """Give a member another role; their keys follow at once."""
    return _member(await usecases.change_role(deps, credential, as_id(user_id, MemberNotFound), changes.role))


@router.delete("/v1/members/{user_id}", status_code=HTTP_204_NO_CONTENT, responses=_CHANGED)
async def remove_member(user_id: PathId, credential: CredentialOf, deps: DepsOf) -> None:
    """Take a person out of the organisation; their keys here are revoked."""
    await usecases.remove_member(deps, credential, as_id(user_id, MemberNotFound))


@router.post("/v1/members/{user_id}/erasure", responses=_CHANGED)
async def erase_member(user_id: PathId, credential: CredentialOf, deps: DepsOf) -> ErasedMemberView:
    """Take a person out of the organisation, and delete their name, address, keys and invitations in it."""
    return ErasedMemberView(counts=await usecases.erase_member(deps, credential, as_id(user_id, MemberNotFound)))


@router.get("/v1/invitations")
async def list_invitations(
    credential: CredentialOf, deps: DepsOf, page: Annotated[PageQuery, Query()]
) -> InvitationList:
    """List the invitations that wait, newest first."""
    after = Cursor.decode(page.cursor) if page.cursor else None
    async with deps.database.transaction(credential.org_id) as session:
        rows = await store.list_invitations(session, credential.org_id, deps.clock(), after=after, limit=page.limit)
    found = page_of(rows, page.limit, lambda row: Cursor(row.created_at, row.id))
    items = [InvitationView.model_validate(_invitation(one)) for one in found.items]
    return InvitationList(items=items, next_cursor=found.next_cursor)


@router.post("/v1/invitations", status_code=HTTP_201_CREATED, responses=_INVITED)
async def create_invitation(
    wanted: NewInvitation, credential: CredentialOf, deps: DepsOf, response: Response
) -> CreatedInvitationView:
    """Invite somebody; the token that accepts is shown this once, and is not sent to anybody from here."""
    invitation, token = await usecases.invite(deps, credential, wanted.email, wanted.role, wanted.expires_in_days)
    response.headers["Cache-Control"] = "no-store"
    return CreatedInvitationView.model_validate({**_invitation(invitation), "token": token})


@router.delete(
    "/v1/invitations/{invitation_id}",
    status_code=HTTP_204_NO_CONTENT,
    responses=told(problems.NO_INVITATION, problems.BEYOND_ROLE),
)
async def revoke_invitation(invitation_id: PathId, credential: CredentialOf, deps: DepsOf) -> None:
    """Take an invitation back."""
    await usecases.revoke_invitation(deps, credential, as_id(invitation_id, InvitationNotFound))


@router.post("/v1/invitations/accept", status_code=HTTP_201_CREATED, responses=_ACCEPTED)
async def accept_invitation(wanted: Acceptance, deps: DepsOf, response: Response) -> JoinedView:
    """Become a member as a new person; the first key is shown this once. No key is needed, and a token serves once."""
    joined = await usecases.accept_invitation(deps, wanted.token, wanted.name)
    response.headers["Cache-Control"] = "no-store"
    return joined_view(joined)


@router.post("/v1/invitations/join", status_code=HTTP_201_CREATED, responses=_JOINED)
async def join_organization(wanted: Joining, credential: CredentialOf, deps: DepsOf, response: Response) -> JoinedView:
    """Become a member of one more organisation, as the person whose key this is."""
    joined = await usecases.join(deps, credential, wanted.token)
    response.headers["Cache-Control"] = "no-store"
    return joined_view(joined)
