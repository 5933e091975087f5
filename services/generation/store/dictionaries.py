"""Pronunciation dictionaries and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, delete, insert, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from services.generation.domain.errors import DictionaryChanged, DictionaryNameTaken, DictionaryNotFound
from services.generation.domain.requests import DictionaryVersion

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

dictionaries = Table(
    "dictionaries",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("name", Text),
    Column("description", Text),
    Column("version", Integer),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
versions = Table(
    "dictionary_versions",
    _metadata,
    Column("dictionary_id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("version", Integer, primary_key=True),
    Column("rules", JSONB),
    Column("created_at", DateTime(timezone=True)),
)

Rules = list[dict[str, Any]]  # Any: strings and booleans


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A dictionary at its newest version."""

    id: UUID
    name: str
    description: str | None
    version: int
    created_at: datetime
    updated_at: datetime


_DICTIONARY = select(*(dictionaries.c[name] for name in Dictionary.__slots__))


async def insert_dictionary(
    session: AsyncSession, dictionary_id: UUID, org_id: UUID, *, name: str, description: str | None, rules: Rules
) -> None:
    """Write a dictionary with its first version. Raises DictionaryNameTaken; the transaction is lost then."""
    try:
        await session.execute(
            insert(dictionaries).values(id=dictionary_id, org_id=org_id, name=name, description=description, version=1)
        )
    except IntegrityError as error:
        raise DictionaryNameTaken from error
    await _insert_version(session, dictionary_id, org_id, 1, rules)


async def add_version(
    session: AsyncSession, dictionary_id: UUID, org_id: UUID, rules: Rules, *, after: int | None = None
) -> int:
    """Write a dictionary's next version and return its number; with `after`, only if that is the newest so far.

    Raises DictionaryNotFound, DictionaryChanged; the transaction is lost then.
    """
    statement = (
        update(dictionaries)
        .where(dictionaries.c.id == dictionary_id, dictionaries.c.org_id == org_id)
        .values(version=dictionaries.c.version + 1)
        .returning(dictionaries.c.version)
    )
    version = (await session.execute(statement)).scalar_one_or_none()
    if version is None:
        raise DictionaryNotFound
    if after is not None and version != after + 1:
        raise DictionaryChanged(version - 1)
    await _insert_version(session, dictionary_id, org_id, version, rules)
    return int(version)


async def _insert_version(session: AsyncSession, dictionary_id: UUID, org_id: UUID, version: int, rules: Rules) -> None:
    row = {"dictionary_id": dictionary_id, "org_id": org_id, "version": version, "rules": rules}
    await session.execute(insert(versions).values(row))


async def get_dictionary(session: AsyncSession, org_id: UUID, dictionary_id: UUID) -> Dictionary:
    """Return a dictionary. Raises DictionaryNotFound."""
    statement = _DICTIONARY.where(dictionaries.c.id == dictionary_id, dictionaries.c.org_id == org_id)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise DictionaryNotFound
    return Dictionary(**row._asdict())


async def list_dictionaries(
    session: AsyncSession, org_id: UUID, *, after: Cursor | None, limit: int
) -> list[Dictionary]:
    """Return dictionaries, newest first, one more than `limit` when there are more."""
    position = tuple_(dictionaries.c.created_at, dictionaries.c.id)
    statement = _DICTIONARY.where(dictionaries.c.org_id == org_id)
    if after is not None:
        statement = statement.where(position < tuple_(literal(after.at), literal(after.id)))
    statement = statement.order_by(dictionaries.c.created_at.desc(), dictionaries.c.id.desc()).limit(limit + 1)
    return [Dictionary(**row._asdict()) for row in await session.execute(statement)]


async def get_rules(session: AsyncSession, org_id: UUID, wanted: Sequence[DictionaryVersion]) -> list[Rules]:
    """Return the rules of versions, in the order in which they are wanted. Raises DictionaryNotFound."""
    keys = [(one.id, one.version) for one in wanted]
    statement = select(versions.c.dictionary_id, versions.c.version, versions.c.rules).where(
        versions.c.org_id == org_id, tuple_(versions.c.dictionary_id, versions.c.version).in_(keys)
    )
    known = {(row.dictionary_id, row.version): row.rules for row in await session.execute(statement)}
    try:
        return [known[key] for key in keys]
    except KeyError as error:
        raise DictionaryNotFound from error


async def delete_dictionary(session: AsyncSession, org_id: UUID, dictionary_id: UUID) -> None:
    """Remove a dictionary with all its versions. Raises DictionaryNotFound."""
    statement = (
        delete(dictionaries)
        .where(dictionaries.c.id == dictionary_id, dictionaries.c.org_id == org_id)
        .returning(dictionaries.c.id)
    )
    if (await session.execute(statement)).first() is None:
        raise DictionaryNotFound
