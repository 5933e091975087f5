"""The routes of API keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from libs.database import Cursor, page_of
from libs.web import PathId, as_id, told
from services.gateway.api import access_problems as problems
from services.gateway.api.fields import Body, Moment, Name, PageQuery
from services.gateway.api.parts import CredentialOf, DepsOf
from services.gateway.domain.access import Role, Scope
from services.gateway.domain.failures import InvalidKey
from services.gateway.domain.keys import (
    OVERLAP_MOST_SECONDS,
    OVERLAP_SECONDS,
    BeyondOwnAccess,
    KeyNotFound,
    effective_scopes,
    may_see,
)
from services.gateway.store import keys as store
from services.gateway.store.keys import KeyAndRole
from services.gateway.store.organizations import get_organization
from services.gateway.usecases import keys as usecases

router = APIRouter()

_BEYOND = problems.beyond(BeyondOwnAccess("scopes", "your own key does not have voices:write"))
_MADE = told(_BEYOND, problems.TOO_MANY_KEYS, problems.PAST_EXPIRY)
_ROTATED = told(problems.NO_KEY, _BEYOND, problems.TOO_MANY_KEYS)
_FORBIDDEN = told(problems.NO_KEY, _BEYOND)


class KeyView(BaseModel):
    """An API key, without its secret."""

    id: str
    name: str
    prefix: str = Field(description="How the key begins.")
    owner: Literal["user", "organization"]
    user_id: str | None
    role: Role = Field(description="The role that the key has at the moment.")
    scopes: list[Scope] = Field(description="What the key may do: its own scopes within those of its role.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="Exact to five minutes.")
    rotated_from: str | None = Field(description="The key that this one replaces.")


class CreatedKeyView(KeyView):
    """An API key that was made just now."""

    key: str = Field(description="The secret, shown this once.")


class CurrentKeyView(KeyView):
    """The key that asks."""

    organization: str = Field(description="The organisation's name.")
    plan: str


class KeyList(BaseModel):
    """Some keys, newest first."""

    items: list[KeyView]
    next_cursor: str | None


class NewKeyBody(Body):
    """A key to be made. It can do no more than the one that makes it."""

    name: Name = Field(examples=["Website"])
    owner: Literal["user", "organization"] | None = Field(
        None, description="Left out, the key belongs to whom the asking key belongs to."
    )
    role: Role | None = Field(None, description="Only of keys of the organisation's own.")
    scopes: list[Scope] | None = Field(
        None, min_length=1, max_length=len(Scope), description="Left out, all that the asking key has."
    )
    expires_at: Moment | None = None


class KeyChanges(Body):
    """What of a key can be changed."""

    name: Name = Field(examples=["Website"])


class Rotation(Body):
    """How a key is replaced."""

    overlap_seconds: int = Field(
        OVERLAP_SECONDS,
        strict=True,
        ge=0,
        le=OVERLAP_MOST_SECONDS,
        description="How long the old key goes on opening the door.",
    )


def _fields(found: KeyAndRole) -> dict[str, object]:
    key = found.key
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "owner": "organization" if key.user_id is None else "user",
        "user_id": str(key.user_id) if key.user_id else None,
        "role": found.role,
        "scopes": sorted(effective_scopes(key, found.role)),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "rotated_from": str(key.rotated_from) if key.rotated_from else None,
    }


def key_view(found: KeyAndRole) -> KeyView:
    """Return a key as clients see it."""
    return KeyView.model_validate(_fields(found))


def created_key_view(new: usecases.NewKey) -> CreatedKeyView:
    """Return a key that was made, with its secret."""
    return CreatedKeyView.model_validate({**_fields(new.made), "key": new.secret})


@router.get("/v1/keys")
async def list_keys(credential: CredentialOf, deps: DepsOf, page: Annotated[PageQuery, Query()]) -> KeyList:
    """List the keys that are valid, newest first: one's own; owners and administrators see all."""
    after = Cursor.decode(page.cursor) if page.cursor else None
    own = None if credential.role.manages else store.own_keys(credential.key_id, credential.user_id)
    async with deps.database.transaction(credential.org_id) as session:
        rows = await store.list_keys(session, own, deps.clock(), after=after, limit=page.limit)
    found = page_of(rows, page.limit, lambda row: Cursor(row.key.created_at, row.key.id))
    return KeyList(items=[key_view(one) for one in found.items], next_cursor=found.next_cursor)


@router.post("/v1/keys", status_code=HTTP_201_CREATED, responses=_MADE)
async def create_key(wanted: NewKeyBody, credential: CredentialOf, deps: DepsOf, response: Response) -> CreatedKeyView:
    """Make a key; its secret is shown this once."""
    asked = usecases.WantedKey(
        name=wanted.name,
        for_organization=wanted.owner == "organization",
        role=wanted.role,
        scopes=frozenset(wanted.scopes) if wanted.scopes is not None else None,
        expires_at=wanted.expires_at,
    )
    new = await usecases.create_key(deps, credential, asked)
    response.headers["Cache-Control"] = "no-store"
    return created_key_view(new)


@router.get("/v1/keys/current")
async def get_current_key(credential: CredentialOf, deps: DepsOf) -> CurrentKeyView:
    """Say what the key that asks is, and what it may do."""
    async with deps.database.transaction(credential.org_id) as session:
        found = await store.get_key(session, credential.key_id, deps.clock())
        organization = await get_organization(session, credential.org_id)
    if found is None or organization is None:
        raise InvalidKey
    return CurrentKeyView.model_validate(
        {**_fields(found), "organization": organization.name, "plan": organization.plan}
    )


@router.get("/v1/keys/{key_id}", responses=told(problems.NO_KEY))
async def get_key(key_id: PathId, credential: CredentialOf, deps: DepsOf) -> KeyView:
    """Return one key."""
    async with deps.database.transaction(credential.org_id) as session:
        found = await store.get_key(session, as_id(key_id, KeyNotFound), deps.clock())
    if found is None or not may_see(credential, found.key):
        raise KeyNotFound
    return key_view(found)


@router.patch("/v1/keys/{key_id}", responses=_FORBIDDEN)
async def rename_key(key_id: PathId, changes: KeyChanges, credential: CredentialOf, deps: DepsOf) -> KeyView:
    """Give a key another name."""
    return key_view(await usecases.rename_key(deps, credential, as_id(key_id, KeyNotFound), changes.name))


@router.delete("/v1/keys/{key_id}", status_code=HTTP_204_NO_CONTENT, responses=_FORBIDDEN)
async def revoke_key(key_id: PathId, credential: CredentialOf, deps: DepsOf) -> None:
    """Revoke a key; within two seconds nothing takes it any more."""
    await usecases.revoke_key(deps, credential, as_id(key_id, KeyNotFound))


@router.post(
    "/v1/keys/{key_id}/rotate",
    status_code=HTTP_201_CREATED,
    responses=_ROTATED,
)
async def rotate_key(
    key_id: PathId, credential: CredentialOf, deps: DepsOf, response: Response, rotation: Rotation | None = None
) -> CreatedKeyView:
    """Replace a key by a new one that may do the same; the old one goes on for `overlap_seconds`."""
    overlap = timedelta(seconds=(rotation or Rotation()).overlap_seconds)
    new = await usecases.rotate_key(deps, credential, as_id(key_id, KeyNotFound), overlap)
    response.headers["Cache-Control"] = "no-store"
    return created_key_view(new)
