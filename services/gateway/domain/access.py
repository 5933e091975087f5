"""What callers may do: scopes, and the roles that people have in an organisation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.gateway.domain.organizations import Plan


class Scope(StrEnum):
    """What a route asks of a key. Each route names one (`routes.ROUTES`)."""

    VOICES_READ = "voices:read"
    VOICES_WRITE = "voices:write"
    SPEECH_READ = "speech:read"
    SPEECH_WRITE = "speech:write"
    SEARCH_READ = "search:read"
    SEARCH_WRITE = "search:write"
    USAGE_READ = "usage:read"
    EVENTS_READ = "events:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_WRITE = "organization:write"
    """Members, invitations, keys, and the organisation itself."""


ALL_SCOPES = frozenset(Scope)
_READING = frozenset(scope for scope in Scope if scope.endswith(":read"))


class Role(StrEnum):
    """What somebody is in an organisation."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the role may do at most."""
        return _SCOPES[self]


_SCOPES = {
    Role.OWNER: ALL_SCOPES,
    Role.ADMIN: ALL_SCOPES,
    Role.MEMBER: ALL_SCOPES - {Scope.ORGANIZATION_WRITE, Scope.WEBHOOKS_WRITE},
    Role.VIEWER: _READING,
}


@dataclass(frozen=True, slots=True)
class Credential:
    """What a valid key says: whose it is and what it may do. `user_id` is None for a key of the organisation's own."""

    org_id: UUID
    key_id: UUID
    user_id: UUID | None
    scopes: frozenset[Scope]
    plan: Plan
