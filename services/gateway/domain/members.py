"""People in an organisation: who may change what they are, and who may not go."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.gateway.domain.access import Credential, Role
from services.gateway.domain.keys import BeyondOwnAccess

INVITATION_DAYS, INVITATION_DAYS_MOST = 7, 30
INVITATIONS_MOST = 1000
"""Invitations of one organisation that wait."""
_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")


class MemberNotFound(Exception):
    """Nobody with that id is a member."""


class InvitationNotFound(Exception):
    """There is no such invitation that waits."""


class LastOwner(Exception):
    """An organisation keeps at least one owner."""


class AlreadyMember(Exception):
    """Somebody with that address is a member already."""


class InvitedSomebodyElse(Exception):
    """The invitation is for another address than that of whoever wants to join."""


class NotAPerson(Exception):
    """A key of an organisation's own cannot join another organisation."""


class TooManyInvitations(Exception):
    """As many invitations wait as may."""


class NotOperator(Exception):
    """Only owners of the installation's first organisation make others."""


@dataclass(frozen=True, slots=True)
class Member:
    """A person in an organisation."""

    user_id: UUID
    email: str
    name: str
    role: Role
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """That somebody may become a member; its token is known to whom it was given alone."""

    id: UUID
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime


def is_address(text: str) -> bool:
    """Say whether `text` may be an e-mail address: one @ with something on both sides. Only a message could tell."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def token_digest(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def expiry(now: datetime, days: int) -> datetime:
    """Return until when an invitation can be accepted."""
    return now + timedelta(days=days)


def require_cover(actor: Credential, role: Role, field: str) -> None:
    """Raise BeyondOwnAccess unless `actor` may give `role`, and take it away."""
    if not actor.role.covers(role):
        raise BeyondOwnAccess(field, f"your own role is {actor.role}; {role}s are beyond it")


def require_another_owner(member: Member, becomes: Role | None, owners: int) -> None:
    """Raise LastOwner if nobody would own the organisation once `member` is something else, or gone."""
    if member.role == Role.OWNER and becomes != Role.OWNER and owners <= 1:
        raise LastOwner
