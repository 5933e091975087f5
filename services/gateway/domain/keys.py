"""API keys: what is kept of one, and what whoever has one may give to another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.gateway.domain.access import Credential, Role, Scope

KEYS_MOST = 1000
"""Keys of one organisation that are not revoked."""
OVERLAP_SECONDS = 24 * 3600
OVERLAP_MOST_SECONDS = 7 * 24 * 3600


class KeyNotFound(Exception):
    """There is no such key, or it is none of the caller's."""


class TooManyKeys(Exception):
    """The organisation has as many keys as it may have."""


class BeyondOwnAccess(Exception):
    """What is asked would give more than whoever asks has; `field` names what asks for it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class InvalidExpiry(Exception):
    """The key would have expired already."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of an API key: never the key.

    `user_id` is whose it is, None for the organisation's own, which then has a `role`; a person's key has the role that
    the person has at the moment. Without `scopes` it may do all that the role may.
    """

    id: UUID
    org_id: UUID
    name: str
    prefix: str
    digest: bytes
    created_at: datetime
    user_id: UUID | None = None
    role: Role | None = Role.OWNER
    scopes: frozenset[Scope] | None = None
    expires_at: datetime | None = None
    rotated_from: UUID | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new key may do, whose it is, and until when."""

    user_id: UUID | None
    role: Role | None
    scopes: frozenset[Scope] | None
    expires_at: datetime | None


def known_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Return those of `names` that this release knows."""
    given = set(names)
    return frozenset(scope for scope in Scope if scope in given)


def effective_scopes(key: ApiKey, role: Role) -> frozenset[Scope]:
    """Return what `key` may do while its role is `role`."""
    return role.scopes if key.scopes is None else key.scopes & role.scopes


def may_see(caller: Credential, key: ApiKey) -> bool:
    """Say whether `caller` may know of `key`: their own, and those who manage, all of the organisation's."""
    if caller.role.manages or key.id == caller.key_id:
        return True
    return caller.user_id is not None and key.user_id == caller.user_id


def may_revoke(caller: Credential, key: ApiKey, role: Role) -> bool:
    """Say whether `caller` may end `key`, whose role is `role`: an administrator does not touch owners' keys."""
    own = caller.user_id is not None and key.user_id == caller.user_id
    return own or key.id == caller.key_id or (caller.role.manages and caller.role.covers(role))


def granted(
    maker: Credential,
    maker_expires_at: datetime | None,
    *,
    for_organization: bool,
    role: Role | None,
    scopes: frozenset[Scope] | None,
    expires_at: datetime | None,
    now: datetime,
) -> Grant:
    """Return what a key that `maker` makes is to be. Raises BeyondOwnAccess, InvalidExpiry.

    What is not said is as with the maker's own key.
    """
    own = for_organization or maker.user_id is None
    if own and maker.user_id is not None and not maker.role.manages:
        raise BeyondOwnAccess("owner", "only owners and administrators make keys of the organisation's own")
    if role is not None and not own:
        raise BeyondOwnAccess("role", "a person's key has the role that the person has; leave it out")
    if role is not None and not maker.role.covers(role):
        raise BeyondOwnAccess("role", f"your own role is {maker.role}")
    if scopes is not None and not scopes <= maker.scopes:
        missing = ", ".join(sorted(scopes - maker.scopes))
        raise BeyondOwnAccess("scopes", f"your own key does not have {missing}")
    if scopes is None and maker.scopes != maker.role.scopes:
        scopes = maker.scopes
    return Grant(
        user_id=None if own else maker.user_id,
        role=(role or maker.role) if own else None,
        scopes=scopes,
        expires_at=_end(maker_expires_at, expires_at, now),
    )


def _end(maker_expires_at: datetime | None, wanted: datetime | None, now: datetime) -> datetime | None:
    if wanted is not None and wanted <= now:
        raise InvalidExpiry
    if wanted is not None and maker_expires_at is not None and wanted > maker_expires_at:
        raise BeyondOwnAccess("expires_at", f"your own key expires at {maker_expires_at.isoformat()}")
    return wanted or maker_expires_at


def overlap_end(key: ApiKey, now: datetime, overlap: timedelta) -> datetime:
    """Return until when a key that has a successor goes on opening the door."""
    end = now + overlap
    return end if key.expires_at is None else min(end, key.expires_at)
