"""The routes of organisations and of their audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.status import HTTP_201_CREATED

from libs.database import Cursor, InvalidCursor, page_of
from libs.web import told
from services.gateway.api import access_problems as problems
from services.gateway.api.fields import Body, Email, Name, PageQuery
from services.gateway.api.members import JoinedView, joined_view
from services.gateway.api.parts import CredentialOf, DepsOf
from services.gateway.domain.audit import Sealed
from services.gateway.domain.failures import InvalidKey
from services.gateway.domain.organizations import Organization, Plan
from services.gateway.store import audit as audit_store
from services.gateway.store.organizations import get_organization
from services.gateway.usecases import audit, tenants

router = APIRouter()

SEQ_MOST = 2**63 - 1
"""What the database can count to."""


class OrganizationView(BaseModel):
    """The organisation whose key asks."""

    name: str = Field(examples=["Example"])
    plan: Plan
    created_at: datetime


class OrganizationChanges(Body):
    """What of an organisation can be changed."""

    name: Name = Field(examples=["Example"])


class Owner(Body):
    """Who owns an organisation first."""

    email: Email = Field(examples=["ada@example.org"])
    name: Name = Field(examples=["Ada"])


class NewOrganization(Body):
    """An organisation to be made."""

    name: Name = Field(examples=["Example"])
    plan: Plan = "free"
    owner: Owner


class MadeOrganizationView(JoinedView):
    """An organisation that was made, with its first owner."""

    organization_id: str = Field(description="By which the operator names it.")


class AuditEntry(BaseModel):
    """Something that changed who may do what. `hash` seals it and all before it."""

    seq: int = Field(description="Counts from 1, without a gap.")
    at: datetime
    action: str = Field(examples=["key.created"])
    key_id: str | None = Field(description="The key with which it was done.")
    user_id: str | None = Field(description="Who did it, if it was a person's key.")
    details: dict[str, Any]
    hash: str


class AuditList(BaseModel):
    """Some entries, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None


class Verification(BaseModel):
    """Whether the log is as it was written."""

    intact: bool
    entries: int = Field(description="How many entries follow from each other, from the first one on.")
    broken_at: int | None = Field(description="The first entry that is changed or missing.")
    hash: str = Field(description="Of the last entry that is intact: kept elsewhere, it proves all before it.")


@router.post("/v1/organizations", status_code=HTTP_201_CREATED, responses=told(problems.NOT_OPERATOR))
async def create_organization(
    wanted: NewOrganization, credential: CredentialOf, deps: DepsOf, response: Response
) -> MadeOrganizationView:
    """Make an organisation, its first owner, and a first key for them, which is shown this once.

    Only owners of the installation's first organisation may.
    """
    asked = tenants.WantedOrganization(wanted.name, wanted.plan, wanted.owner.email, wanted.owner.name)
    joined = await tenants.create_organization(deps, credential, asked)
    response.headers["Cache-Control"] = "no-store"
    made = joined_view(joined)
    return MadeOrganizationView(organization_id=str(joined.organization.id), **dict(made))


@router.get("/v1/organization")
async def get_own_organization(credential: CredentialOf, deps: DepsOf) -> OrganizationView:
    """Return the organisation whose key asks."""
    async with deps.database.transaction(credential.org_id) as session:
        organization = await get_organization(session, credential.org_id)
    if organization is None:
        raise InvalidKey
    return _view(organization)


@router.patch("/v1/organization")
async def rename_organization(changes: OrganizationChanges, credential: CredentialOf, deps: DepsOf) -> OrganizationView:
    """Give the organisation another name."""
    return _view(await tenants.rename_organization(deps, credential, changes.name))


def _view(organization: Organization) -> OrganizationView:
    return OrganizationView(name=organization.name, plan=organization.plan, created_at=organization.created_at)


@router.get("/v1/audit")
async def list_audit(credential: CredentialOf, deps: DepsOf, page: Annotated[PageQuery, Query()]) -> AuditList:
    """List what changed who may do what, newest first."""
    before = _seq(page.cursor) if page.cursor else None
    async with deps.database.transaction(credential.org_id) as session:
        rows = await audit_store.list_newest(session, credential.org_id, before=before, limit=page.limit)
    found = page_of(rows, page.limit, lambda row: Cursor(row.entry.at, UUID(int=row.entry.seq)))
    return AuditList(items=[_entry(one) for one in found.items], next_cursor=found.next_cursor)


def _seq(cursor: str) -> int:
    seq = Cursor.decode(cursor).id.int
    if seq > SEQ_MOST:
        raise InvalidCursor(cursor)
    return seq


def _entry(sealed: Sealed) -> AuditEntry:
    entry = sealed.entry
    return AuditEntry(
        seq=entry.seq,
        at=entry.at,
        action=entry.action,
        key_id=str(entry.key_id) if entry.key_id else None,
        user_id=str(entry.user_id) if entry.user_id else None,
        details=dict(entry.details),
        hash=sealed.hash.hex(),
    )


@router.get("/v1/audit/verification")
async def verify_audit(credential: CredentialOf, deps: DepsOf) -> Verification:
    """Follow the whole log, and say where it is not as it was written."""
    chain = await audit.verify(deps.database, credential.org_id)
    return Verification(
        intact=chain.broken_at is None, entries=chain.length, broken_at=chain.broken_at, hash=chain.hash.hex()
    )
