"""Voices, as this service knows them from events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, MetaData, Table, Text, bindparam, delete, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from services.generation.domain.requests import Voice

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

voices = Table(
    "voices",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("name", Text),
    Column("language", Text),
    Column("engine", Text),
    Column("engine_settings", JSONB),
    Column("settings", JSONB),
    Column("revision", BigInteger),
    Column("deleted", Boolean),
)
_RENEWED = ("name", "language", "engine", "engine_settings", "settings", "revision")

# Made once: building and taking apart a statement costs several times what executing it does.
_GET_VOICE = select(*(voices.c[name] for name in Voice.__slots__)).where(
    voices.c.id == bindparam("voice_id", type_=_uuid), ~voices.c.deleted
)


async def get_voice(session: AsyncSession, voice_id: UUID) -> Voice | None:
    """Return a voice that can be spoken with, or None."""
    row = (await session.execute(_GET_VOICE, {"voice_id": voice_id})).one_or_none()
    return Voice(**row._asdict()) if row else None


async def lock_custom_voice(session: AsyncSession, voice_id: UUID) -> bool:
    """Keep a custom voice from being deleted until the transaction ends; say whether it is there."""
    statement = select(voices.c.id).where(voices.c.id == voice_id, ~voices.c.deleted).with_for_update(read=True)
    return (await session.execute(statement)).first() is not None


async def save_voices(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Insert or renew voices; an older revision changes nothing, and a deleted voice stays deleted."""
    statement = upsert(voices).values(list(rows))
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[voices.c.id],
            set_={name: statement.excluded[name] for name in _RENEWED},
            where=(voices.c.revision < statement.excluded.revision) & ~voices.c.deleted,
        )
    )


async def bury_voices(session: AsyncSession, dead: Sequence[tuple[UUID, UUID]]) -> None:
    """Leave nothing of voices, given as (id, organisation), known or not, but that they are deleted."""
    rows = [
        {
            "id": voice_id,
            "org_id": org_id,
            "name": "",
            "language": "",
            "engine": "",
            "engine_settings": {},
            "settings": {},
            "revision": 0,
            "deleted": True,
        }
        for voice_id, org_id in dead
    ]
    statement = upsert(voices).values(rows)
    emptied = {name: statement.excluded[name] for name in rows[0] if name not in ("id", "org_id")}
    await session.execute(statement.on_conflict_do_update(index_elements=[voices.c.id], set_=emptied))


async def delete_voices(session: AsyncSession) -> None:
    """Forget every voice, and that any was deleted: their events tell all of it again."""
    await session.execute(delete(voices))
