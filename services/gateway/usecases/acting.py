"""Whoever changes who may do what: as they are at that moment, not as they were known a moment ago."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.domain.access import Credential, Scope
from services.gateway.domain.failures import InvalidKey, ScopeMissing
from services.gateway.domain.keys import effective_scopes
from services.gateway.store import keys as store
from services.gateway.store.organizations import lock_organization


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and until when their key opens the door."""

    credential: Credential
    expires_at: datetime | None


async def acting(session: AsyncSession, credential: Credential, scope: Scope | None, now: datetime) -> Actor:
    """Return who acts in this transaction; nothing about the organisation's people and keys is changed beside it.

    Raises InvalidKey, and ScopeMissing if the key does not have `scope` any more.
    """
    await lock_organization(session, credential.org_id)
    found = await store.lock_valid_key(session, credential.key_id, now)
    if found is None:
        raise InvalidKey
    scopes = effective_scopes(found.key, found.role)
    if scope is not None and scope not in scopes:
        raise ScopeMissing(scope)
    return Actor(replace(credential, role=found.role, scopes=scopes), found.key.expires_at)
