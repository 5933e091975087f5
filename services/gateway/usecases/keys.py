"""Making, changing, replacing and revoking keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.apikeys import new_api_key
from libs.contracts.antiphon.gateway.v1.events_pb2 import ApiKeyRevoked
from libs.ids import new_id
from services.gateway.adapters.key_changes import tell_changed_keys
from services.gateway.domain.access import Credential, Role, Scope
from services.gateway.domain.credentials import digest_of, shown_prefix
from services.gateway.domain.keys import (
    KEYS_MOST,
    ApiKey,
    BeyondOwnAccess,
    Grant,
    KeyNotFound,
    TooManyKeys,
    effective_scopes,
    granted,
    may_revoke,
    may_see,
    overlap_end,
)
from services.gateway.store import keys as store
from services.gateway.store.keys import KeyAndRole
from services.gateway.store.organizations import insert_key
from services.gateway.usecases.acting import Actor, acting
from services.gateway.usecases.audit import record
from services.gateway.usecases.deps import Deps
from services.gateway.usecases.organizations import key_created


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made, and its secret, which is nowhere else."""

    made: KeyAndRole
    secret: str


@dataclass(frozen=True, slots=True)
class WantedKey:
    """What a new key is asked to be; what is None is as with the key of whoever asks."""

    name: str
    for_organization: bool = False
    role: Role | None = None
    scopes: frozenset[Scope] | None = None
    expires_at: datetime | None = None


async def create_key(deps: Deps, caller: Credential, wanted: WantedKey) -> NewKey:
    """Make a key. Raises BeyondOwnAccess, InvalidExpiry, TooManyKeys."""
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = await acting(session, caller, Scope.KEYS_WRITE, now)
        grant = granted(
            actor.credential,
            actor.expires_at,
            for_organization=wanted.for_organization,
            role=wanted.role,
            scopes=wanted.scopes,
            expires_at=wanted.expires_at,
            now=now,
        )
        new = await add_key(session, actor.credential, grant, wanted.name, now)
        await record(session, actor.credential, "key.created", now, _told(new.made))
        return new


async def add_key(
    session: AsyncSession,
    maker: Credential,
    grant: Grant,
    name: str,
    now: datetime,
    *,
    rotated_from: UUID | None = None,
) -> NewKey:
    """Write down a new key, while the organisation is locked. Raises TooManyKeys."""
    if await store.count_keys(session, maker.org_id) >= KEYS_MOST:
        raise TooManyKeys
    secret = new_api_key()
    key = ApiKey(
        id=new_id(),
        org_id=maker.org_id,
        name=name,
        prefix=shown_prefix(secret),
        digest=digest_of(secret),
        created_at=now,
        user_id=grant.user_id,
        role=grant.role,
        scopes=grant.scopes,
        expires_at=grant.expires_at,
        rotated_from=rotated_from,
    )
    await insert_key(session, key)
    outbox.add(session, key_created(key))
    return NewKey(KeyAndRole(key, grant.role or maker.role), secret)


async def rename_key(deps: Deps, caller: Credential, key_id: UUID, name: str) -> KeyAndRole:
    """Give a key another name. Raises KeyNotFound, BeyondOwnAccess."""
    async with deps.database.transaction(caller.org_id) as session:
        _, found = await _found(deps, session, caller, key_id)
        await store.save_name(session, key_id, name)
        return replace(found, key=replace(found.key, name=name))


async def revoke_key(deps: Deps, caller: Credential, key_id: UUID) -> None:
    """End a key at once. Raises KeyNotFound, BeyondOwnAccess."""
    async with deps.database.transaction(caller.org_id) as session:
        actor, _ = await _found(deps, session, caller, key_id)
        now = deps.clock()
        await end_key(session, caller.org_id, key_id, now)
        await record(session, actor.credential, "key.revoked", now, {"key_id": str(key_id)})


async def rotate_key(deps: Deps, caller: Credential, key_id: UUID, overlap: timedelta) -> NewKey:
    """Make a successor of a key, which may do the same; the old one opens the door for `overlap` more.

    Raises KeyNotFound, TooManyKeys, and BeyondOwnAccess where the successor could do what the caller cannot.
    """
    async with deps.database.transaction(caller.org_id) as session:
        actor, found = await _found(deps, session, caller, key_id)
        key, now, maker = found.key, deps.clock(), actor.credential
        if key.user_id is not None and key.user_id != maker.user_id:
            raise BeyondOwnAccess("key_id", "only its owner may replace a person's key; you may revoke it")
        if not effective_scopes(key, found.role) <= maker.scopes or not maker.role.covers(found.role):
            raise BeyondOwnAccess("key_id", "the key may do more than your own")
        expires_at = key.expires_at
        if actor.expires_at is not None and (expires_at is None or expires_at > actor.expires_at):
            expires_at = actor.expires_at
        grant = Grant(key.user_id, key.role, key.scopes, expires_at)
        new = await add_key(session, maker, grant, key.name, now, rotated_from=key.id)
        if overlap:
            await store.save_end(session, key.id, overlap_end(key, now, overlap))
            tell_changed_keys(session)
        else:
            await end_key(session, key.org_id, key.id, now)
        told = {**_told(new.made), "rotated_from": str(key.id), "overlap_seconds": int(overlap.total_seconds())}
        await record(session, maker, "key.rotated", now, told)
        return new


def _told(made: KeyAndRole) -> dict[str, str | int | list[str] | None]:
    """What the audit log says of a new key."""
    key = made.key
    return {
        "key_id": str(key.id),
        "owner": str(key.user_id) if key.user_id else "organization",
        "role": made.role.value,
        "scopes": sorted(effective_scopes(key, made.role)),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }


async def _found(deps: Deps, session: AsyncSession, caller: Credential, key_id: UUID) -> tuple[Actor, KeyAndRole]:
    """Return who acts, and the key that they may change, locked."""
    now = deps.clock()
    actor = await acting(session, caller, Scope.KEYS_WRITE, now)
    found = await store.lock_valid_key(session, key_id, now)
    if found is None or not may_see(actor.credential, found.key):
        raise KeyNotFound
    if not may_revoke(actor.credential, found.key, found.role):
        raise BeyondOwnAccess("key_id", "administrators do not change the keys of owners")
    return actor, found


async def end_key(session: AsyncSession, org_id: UUID, key_id: UUID, now: datetime) -> None:
    """Revoke a key, everywhere at once."""
    await store.revoke_key(session, key_id, now)
    tell_revoked(session, org_id, key_id, now)


def tell_revoked(session: AsyncSession, org_id: UUID, key_id: UUID, now: datetime) -> None:
    """Tell of a key that was revoked."""
    outbox.add(session, ApiKeyRevoked(key_id=str(key_id), org_id=str(org_id), revoked_at=now))
    tell_changed_keys(session)
