"""API keys, as those see and change them who manage them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from services.gateway.domain.access import Role
from services.gateway.domain.keys import ApiKey, known_scopes
from services.gateway.store.organizations import api_keys, memberships


@dataclass(frozen=True, slots=True)
class KeyAndRole:
    """A key and the role that it has at the moment; a person who is no member any more has left keys without one."""

    key: ApiKey
    role: Role


_ROLE = func.coalesce(memberships.c.role, api_keys.c.role)


def _valid(now: datetime) -> ColumnElement[bool]:
    return and_(
        api_keys.c.revoked_at.is_(None),
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        _ROLE.is_not(None),
    )


def _keys() -> Select[Any]:  # Any: a row of all of a key's columns
    of_owner = and_(memberships.c.org_id == api_keys.c.org_id, memberships.c.user_id == api_keys.c.user_id)
    return select(api_keys, _ROLE.label("current_role")).select_from(api_keys.outerjoin(memberships, of_owner))


def _key_of(row: Row[Any]) -> KeyAndRole:  # Any: as above
    key = ApiKey(
        id=row.id,
        org_id=row.org_id,
        name=row.name,
        prefix=row.prefix,
        digest=row.hash,
        created_at=row.created_at,
        user_id=row.user_id,
        role=Role(row.role) if row.role else None,
        scopes=known_scopes(row.scopes) if row.scopes is not None else None,
        expires_at=row.expires_at,
        rotated_from=row.rotated_from,
        last_used_at=row.last_used_at,
    )
    return KeyAndRole(key, Role(row.current_role))


async def lock_valid_key(session: AsyncSession, key_id: UUID, now: datetime) -> KeyAndRole | None:
    """Return a key that opens the door right now, and keep it from being changed until the transaction ends."""
    statement = _keys().where(api_keys.c.id == key_id, _valid(now)).with_for_update(of=api_keys)
    row = (await session.execute(statement)).one_or_none()
    return _key_of(row) if row else None


async def get_key(session: AsyncSession, key_id: UUID, now: datetime) -> KeyAndRole | None:
    """Return a key that is neither revoked nor expired."""
    row = (await session.execute(_keys().where(api_keys.c.id == key_id, _valid(now)))).one_or_none()
    return _key_of(row) if row else None


async def list_keys(
    session: AsyncSession, which: ColumnElement[bool] | None, now: datetime, *, after: Cursor | None, limit: int
) -> Sequence[KeyAndRole]:
    """Return keys that are neither revoked nor expired, newest first; one more than `limit`, if there are as many."""
    statement = _keys().where(_valid(now))
    if which is not None:
        statement = statement.where(which)
    if after is not None:
        position = tuple_(api_keys.c.created_at, api_keys.c.id)
        statement = statement.where(position < tuple_(literal(after.at), literal(after.id)))
    statement = statement.order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc()).limit(limit + 1)
    return [_key_of(row) for row in await session.execute(statement)]


def own_keys(key_id: UUID, user_id: UUID | None) -> ColumnElement[bool]:
    """Return the condition of being this key, or another one of the same person."""
    this = api_keys.c.id == key_id
    return this if user_id is None else or_(this, api_keys.c.user_id == user_id)


async def count_keys(session: AsyncSession, org_id: UUID) -> int:
    """Return how many keys of an organisation are not revoked."""
    statement = select(func.count()).where(api_keys.c.org_id == org_id, api_keys.c.revoked_at.is_(None))
    return (await session.execute(statement)).scalar_one()


async def save_name(session: AsyncSession, key_id: UUID, name: str) -> None:
    """Give a key another name."""
    await session.execute(update(api_keys).where(api_keys.c.id == key_id).values(name=name))


async def save_end(session: AsyncSession, key_id: UUID, expires_at: datetime) -> None:
    """Say until when a key opens the door."""
    await session.execute(update(api_keys).where(api_keys.c.id == key_id).values(expires_at=expires_at))


async def revoke_key(session: AsyncSession, key_id: UUID, now: datetime) -> None:
    """End a key."""
    await session.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=now))


async def delete_keys_of(session: AsyncSession, org_id: UUID, user_id: UUID) -> int:
    """Delete what is kept of all keys that a person has had in an organisation; return of how many."""
    statement = delete(api_keys).where(api_keys.c.org_id == org_id, api_keys.c.user_id == user_id)
    return len((await session.execute(statement.returning(api_keys.c.id))).all())


async def revoke_keys_of(session: AsyncSession, org_id: UUID, user_id: UUID, now: datetime) -> Sequence[UUID]:
    """End all keys that a person has in an organisation; return their ids."""
    statement = (
        update(api_keys)
        .where(api_keys.c.org_id == org_id, api_keys.c.user_id == user_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(api_keys.c.id)
    )
    return (await session.execute(statement)).scalars().all()
