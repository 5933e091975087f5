"""Organisations and their keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.gateway.domain.access import Role, Scope
from services.gateway.domain.keys import ApiKey, known_scopes
from services.gateway.domain.organizations import Organization, Plan

_metadata = MetaData()

organizations = Table(
    "organizations",
    _metadata,
    Column("id", PgUuid(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("plan_revision", BigInteger, nullable=False),
)
api_keys = Table(
    "api_keys",
    _metadata,
    Column("id", PgUuid(as_uuid=True), primary_key=True),
    Column("org_id", PgUuid(as_uuid=True), nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("user_id", PgUuid(as_uuid=True)),
    Column("role", Text),
    Column("scopes", ARRAY(Text)),
    Column("expires_at", DateTime(timezone=True)),
    Column("rotated_from", PgUuid(as_uuid=True)),
)
users = Table(
    "users",
    _metadata,
    Column("id", PgUuid(as_uuid=True), primary_key=True),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)
memberships = Table(
    "memberships",
    _metadata,
    Column("org_id", PgUuid(as_uuid=True), primary_key=True),
    Column("user_id", PgUuid(as_uuid=True), primary_key=True),
    Column("role", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key that opens the door: whose it is, what it may do, and for how many seconds more."""

    id: UUID
    org_id: UUID
    user_id: UUID | None
    role: Role
    scopes: frozenset[Scope]
    plan: Plan
    valid_seconds: float | None
    last_used_at: datetime | None


_FIND_KEY = """
select key_id, org_id, user_id, role, scopes, plan, valid_seconds, last_used_at from find_api_key($1)
"""


async def get_valid_key(session: AsyncSession, digest: bytes) -> FoundKey | None:
    """Return the key with this digest, of whatever organisation; None if it is unknown, revoked or expired.

    A key of somebody who is no member any more opens nothing either.
    """
    # By the driver: a key that is not remembered waits for this.
    row = await driver_of(session).fetchrow(_FIND_KEY, digest)
    if row is None:
        return None
    role = Role(row["role"])
    scopes = role.scopes if row["scopes"] is None else known_scopes(row["scopes"]) & role.scopes
    return FoundKey(
        id=row["key_id"],
        org_id=row["org_id"],
        user_id=row["user_id"],
        role=role,
        scopes=scopes,
        plan=row["plan"],
        valid_seconds=row["valid_seconds"],
        last_used_at=row["last_used_at"],
    )


async def save_key_use(session: AsyncSession, key_id: UUID, at: datetime) -> None:
    """Note that a key was used."""
    await session.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=at))


async def insert_organization(session: AsyncSession, new: Organization) -> bool:
    """Insert an organisation; False when it is there already, in which case nothing changes."""
    values: dict[str, Any] = {  # Any: one value a column
        "id": new.id,
        "name": new.name,
        "plan": new.plan,
        "created_at": new.created_at,
    }
    return await _is_inserted(session, organizations, values)


async def insert_key(session: AsyncSession, new: ApiKey) -> bool:
    """Insert a key; False when its digest is there already, valid or revoked, in which case nothing changes."""
    values: dict[str, Any] = {  # Any: one value a column
        "id": new.id,
        "org_id": new.org_id,
        "name": new.name,
        "prefix": new.prefix,
        "hash": new.digest,
        "created_at": new.created_at,
        "user_id": new.user_id,
        "role": new.role,
        "scopes": sorted(new.scopes) if new.scopes is not None else None,
        "expires_at": new.expires_at,
        "rotated_from": new.rotated_from,
    }
    return await _is_inserted(session, api_keys, values)


async def _is_inserted(session: AsyncSession, table: Table, values: dict[str, Any]) -> bool:
    statement = insert(table).values(values).on_conflict_do_nothing().returning(table.c.id)
    return (await session.execute(statement)).one_or_none() is not None


async def lock_organization(session: AsyncSession, org_id: UUID) -> Organization | None:
    """Return an organisation, and keep it from being changed until the transaction ends."""
    statement = select(organizations).where(organizations.c.id == org_id).with_for_update(key_share=True)
    row = (await session.execute(statement)).one_or_none()
    return Organization(row.id, row.name, row.plan, row.created_at) if row else None


async def save_name(session: AsyncSession, org_id: UUID, name: str) -> None:
    """Give an organisation another name."""
    await session.execute(update(organizations).where(organizations.c.id == org_id).values(name=name))


async def save_plan(session: AsyncSession, org_id: UUID, plan: str, revision: int) -> None:
    """Give an organisation another plan, unless a newer one is known."""
    statement = update(organizations).where(organizations.c.id == org_id, organizations.c.plan_revision < revision)
    await session.execute(statement.values(plan=plan, plan_revision=revision))


async def get_organization(session: AsyncSession, org_id: UUID) -> Organization | None:
    """Return an organisation."""
    row = (await session.execute(select(organizations).where(organizations.c.id == org_id))).one_or_none()
    return Organization(row.id, row.name, row.plan, row.created_at) if row else None


async def insert_user(session: AsyncSession, user_id: UUID, email: str, name: str, now: datetime) -> None:
    """Write down a person; they are seen once they are a member."""
    await session.execute(insert(users).values(id=user_id, email=email, name=name, created_at=now))


async def insert_membership(session: AsyncSession, org_id: UUID, user_id: UUID, role: Role, now: datetime) -> bool:
    """Make a person a member; False if they are one already."""
    values = {"org_id": org_id, "user_id": user_id, "role": role, "created_at": now}
    statement = insert(memberships).values(values).on_conflict_do_nothing().returning(memberships.c.user_id)
    return (await session.execute(statement)).one_or_none() is not None
