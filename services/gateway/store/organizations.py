"""Organisations and their keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.domain.organizations import ApiKey, Organization, Plan

_metadata = MetaData()

organizations = Table(
    "organizations",
    _metadata,
    Column("id", PgUuid(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
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
)


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key that is valid, and whose it is."""

    id: UUID
    org_id: UUID
    last_used_at: datetime | None


_FIND_KEY = text("select key_id, org_id, last_used_at from find_api_key(:digest)").bindparams(
    bindparam("digest", type_=LargeBinary)
)


async def get_valid_key(session: AsyncSession, digest: bytes) -> FoundKey | None:
    """Return the key with this digest, of whatever organisation, unless it is unknown or revoked."""
    row = (await session.execute(_FIND_KEY, {"digest": digest})).one_or_none()
    return FoundKey(row.key_id, row.org_id, row.last_used_at) if row else None


async def get_plan(session: AsyncSession, org_id: UUID) -> Plan:
    """Return the plan of an organisation that exists."""
    plan: Plan = (await session.execute(select(organizations.c.plan).where(organizations.c.id == org_id))).scalar_one()
    return plan


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
    }
    return await _is_inserted(session, api_keys, values)


async def _is_inserted(session: AsyncSession, table: Table, values: dict[str, Any]) -> bool:
    statement = insert(table).values(values).on_conflict_do_nothing().returning(table.c.id)
    return (await session.execute(statement)).one_or_none() is not None
