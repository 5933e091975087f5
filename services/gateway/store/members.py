"""Members and invitations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor, driver_of
from services.gateway.domain.access import Role
from services.gateway.domain.members import Invitation, Member
from services.gateway.store.organizations import memberships, users

_metadata = MetaData()

invitations = Table(
    "invitations",
    _metadata,
    Column("id", PgUuid(as_uuid=True), primary_key=True),
    Column("org_id", PgUuid(as_uuid=True), nullable=False),
    Column("email", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("accepted_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)


def _members(org_id: UUID) -> Select[Any]:  # Any: the columns of two tables
    joined = memberships.join(users, users.c.id == memberships.c.user_id)
    columns = (users.c.id, users.c.email, users.c.name, memberships.c.role, memberships.c.created_at)
    return select(*columns).select_from(joined).where(memberships.c.org_id == org_id)


def _member(row: Row[Any]) -> Member:  # Any: as above
    return Member(row.id, row.email, row.name, Role(row.role), row.created_at)


async def get_member(session: AsyncSession, org_id: UUID, user_id: UUID) -> Member | None:
    """Return a member."""
    row = (await session.execute(_members(org_id).where(users.c.id == user_id))).one_or_none()
    return _member(row) if row else None


async def is_member(session: AsyncSession, org_id: UUID, email: str) -> bool:
    """Say whether somebody with this address is a member."""
    statement = _members(org_id).where(func.lower(users.c.email) == email.lower()).limit(1)
    return (await session.execute(statement)).one_or_none() is not None


async def list_members(session: AsyncSession, org_id: UUID, *, after: Cursor | None, limit: int) -> Sequence[Member]:
    """Return members, newest first; one more than `limit`, if there are as many."""
    statement, position = _members(org_id), tuple_(memberships.c.created_at, memberships.c.user_id)
    if after is not None:
        statement = statement.where(position < tuple_(literal(after.at), literal(after.id)))
    statement = statement.order_by(memberships.c.created_at.desc(), memberships.c.user_id.desc()).limit(limit + 1)
    return [_member(row) for row in await session.execute(statement)]


async def count_owners(session: AsyncSession, org_id: UUID) -> int:
    """Return how many owners an organisation has."""
    statement = select(func.count()).where(memberships.c.org_id == org_id, memberships.c.role == Role.OWNER)
    return (await session.execute(statement)).scalar_one()


async def save_role(session: AsyncSession, org_id: UUID, user_id: UUID, role: Role) -> None:
    """Give a member another role."""
    this = and_(memberships.c.org_id == org_id, memberships.c.user_id == user_id)
    await session.execute(update(memberships).where(this).values(role=role))


async def delete_member(session: AsyncSession, org_id: UUID, user_id: UUID) -> None:
    """Take a person out of an organisation; one who is in no other is forgotten."""
    this = and_(memberships.c.org_id == org_id, memberships.c.user_id == user_id)
    await session.execute(delete(memberships).where(this))
    await session.execute(text("select forget_user(:id)"), {"id": user_id})


def _waiting(now: datetime) -> Any:  # Any: SQLAlchemy's condition
    return and_(invitations.c.accepted_at.is_(None), invitations.c.revoked_at.is_(None), invitations.c.expires_at > now)


def _invitation(row: Row[Any]) -> Invitation:  # Any: a row of all columns
    return Invitation(row.id, row.email, Role(row.role), row.created_at, row.expires_at)


async def insert_invitation(session: AsyncSession, org_id: UUID, new: Invitation, digest: bytes) -> None:
    """Write down an invitation, and of its token the digest."""
    values: dict[str, Any] = {  # Any: one value a column
        "id": new.id,
        "org_id": org_id,
        "email": new.email,
        "role": new.role,
        "hash": digest,
        "created_at": new.created_at,
        "expires_at": new.expires_at,
    }
    await session.execute(insert(invitations).values(values))


async def find_invitation(session: AsyncSession, digest: bytes) -> tuple[UUID, UUID] | None:
    """Return the id and the organisation of the invitation with this token, of whatever organisation, if it waits."""
    row = await driver_of(session).fetchrow("select invitation_id, org_id from find_invitation($1)", digest)
    return (row["invitation_id"], row["org_id"]) if row else None


async def lock_invitation(session: AsyncSession, org_id: UUID, id_: UUID, now: datetime) -> Invitation | None:
    """Return an invitation that waits, and keep it from being changed until the transaction ends."""
    this = and_(invitations.c.org_id == org_id, invitations.c.id == id_, _waiting(now))
    row = (await session.execute(select(invitations).where(this).with_for_update())).one_or_none()
    return _invitation(row) if row else None


async def list_invitations(
    session: AsyncSession, org_id: UUID, now: datetime, *, after: Cursor | None, limit: int
) -> Sequence[Invitation]:
    """Return invitations that wait, newest first; one more than `limit`, if there are as many."""
    statement = select(invitations).where(invitations.c.org_id == org_id, _waiting(now))
    position = tuple_(invitations.c.created_at, invitations.c.id)
    if after is not None:
        statement = statement.where(position < tuple_(literal(after.at), literal(after.id)))
    statement = statement.order_by(invitations.c.created_at.desc(), invitations.c.id.desc()).limit(limit + 1)
    return [_invitation(row) for row in await session.execute(statement)]


async def count_invitations(session: AsyncSession, org_id: UUID, now: datetime) -> int:
    """Return how many invitations wait."""
    statement = select(func.count()).where(invitations.c.org_id == org_id, _waiting(now))
    return (await session.execute(statement)).scalar_one()


async def delete_invitations(session: AsyncSession, org_id: UUID, email: str) -> int:
    """Delete all invitations for an address, waiting or not; return how many."""
    this = and_(invitations.c.org_id == org_id, func.lower(invitations.c.email) == email.lower())
    return len((await session.execute(delete(invitations).where(this).returning(invitations.c.id))).all())


async def save_accepted(session: AsyncSession, id_: UUID, now: datetime) -> None:
    """An invitation is used up."""
    await session.execute(update(invitations).where(invitations.c.id == id_).values(accepted_at=now))


async def save_revoked(session: AsyncSession, id_: UUID, now: datetime) -> None:
    """An invitation is taken back."""
    await session.execute(update(invitations).where(invitations.c.id == id_).values(revoked_at=now))
