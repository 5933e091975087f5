"""What callers may do: scopes, and the roles that people have in an organisation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
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
    MEDIA_READ = "media:read"
    MEDIA_WRITE = "media:write"
    """Files that are uploaded."""
    USAGE_READ = "usage:read"
    ANALYTICS_READ = "analytics:read"
    ANALYTICS_WRITE = "analytics:write"
    """Telling what visitors do: a key that may do nothing else can be published in a page."""
    EVENTS_READ = "events:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    """Keys of one's own; of owners and administrators, all of the organisation's."""
    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_WRITE = "organization:write"
    """Members, invitations, and the organisation itself."""
    AUDIT_READ = "audit:read"
    DATA_EXPORT = "data:export"
    """All that there is of the organisation, or of one of its people, to take along."""


ALL_SCOPES = frozenset(Scope)
ANY_SCOPE: Literal["any"] = "any"
"""What a route asks for that any key opens, whatever else it may do."""
_MANAGING = frozenset((Scope.ORGANIZATION_WRITE, Scope.WEBHOOKS_WRITE, Scope.AUDIT_READ, Scope.DATA_EXPORT))
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

    @property
    def manages(self) -> bool:
        """Say whether the role is for managing the organisation's people and all of its keys."""
        return self in (Role.OWNER, Role.ADMIN)

    def covers(self, other: Role) -> bool:
        """Say whether somebody with this role may give `other`, and take it away."""
        order = list(Role)
        return order.index(self) <= order.index(other)


_SCOPES = {
    Role.OWNER: ALL_SCOPES,
    Role.ADMIN: ALL_SCOPES,
    Role.MEMBER: ALL_SCOPES - _MANAGING,
    Role.VIEWER: _READING - _MANAGING,
}


@dataclass(frozen=True, slots=True)
class Credential:
    """What a valid key says: whose it is and what it may do. `user_id` is None for a key of the organisation's own.

    `scopes` are those of the key within those of its `role`; `valid_seconds` says how long after it was looked up the
    key expires, if it does.
    """

    org_id: UUID
    key_id: UUID
    user_id: UUID | None
    scopes: frozenset[Scope]
    plan: Plan
    role: Role = Role.VIEWER
    valid_seconds: float | None = None
