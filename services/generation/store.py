"""The generation service's tables and the statements on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    any_,
    bindparam,
    delete,
    insert,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy import func as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from services.generation.domain import Generation, Request, Status, Voice

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
    Column("revision", BigInteger),
    Column("deleted", Boolean),
)

generations = Table(
    "generations",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("voice_id", _uuid),
    Column("voice_name", Text),
    Column("text", Text),
    Column("characters", Integer),
    Column("temperature", Double),
    Column("top_p", Double),
    Column("top_k", Integer),
    Column("repetition_penalty", Double),
    Column("speed", Double),
    Column("format", Text),
    Column("model_id", Text),
    Column("applied", JSONB),
    Column("status", Text),
    Column("error_code", Text),
    Column("error", Text),
    Column("object_key", Text),
    Column("duration_seconds", Double),
    Column("idempotency_key", Text),
    Column("request_hash", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)

attempts = Table(
    "generation_attempts",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("generation_id", _uuid),
    Column("org_id", _uuid),
    Column("voice_id", _uuid),
    Column("model_id", Text),
    Column("status", Text),
    Column("error", Text),
    Column("timings", JSONB),
)

_VISIBLE = [generations.c[name] for name in Generation.__slots__]

# Made once: building and taking apart a statement costs several times what executing it does.
_GET_VOICE = select(voices.c.id, voices.c.org_id, voices.c.name, voices.c.engine, voices.c.engine_settings).where(
    voices.c.id == bindparam("voice_id", type_=_uuid), ~voices.c.deleted
)
_INSERT_GENERATION = insert(generations).returning(*_VISIBLE)
_CLAIM = text(
    """
    with claimed as (
        update generations set status = 'processing'
        where id = :generation_id and org_id = :org_id and status in ('pending', 'processing') and object_key is null
        returning id, org_id, voice_id, model_id
    )
    insert into generation_attempts (id, generation_id, org_id, voice_id, model_id, status)
    select :attempt_id, id, org_id, voice_id, model_id, 'processing' from claimed
    returning id
    """
).bindparams(*(bindparam(name, type_=_uuid) for name in ("attempt_id", "generation_id", "org_id")))
_SAVE_RENDERED = text(
    """
    with saved as (
        update generations set object_key = :object_key, duration_seconds = :duration_seconds, applied = :applied
        where id = :generation_id and org_id = :org_id and status = 'processing' and object_key is null
        returning id
    )
    update generation_attempts set status = 'rendered', timings = :timings
    from saved where generation_attempts.id = :attempt_id and generation_attempts.generation_id = saved.id
    returning generation_attempts.id
    """
).bindparams(
    *(bindparam(name, type_=_uuid) for name in ("attempt_id", "generation_id", "org_id")),
    bindparam("applied", type_=JSONB),
    bindparam("timings", type_=JSONB),
)
_COMPLETE = (
    update(generations)
    .where(generations.c.id == any_(bindparam("ids", type_=ARRAY(_uuid))), generations.c.status == "processing")
    .values(status="completed", updated_at=sql.now())
    .returning(*_VISIBLE)
)


def _generation(row: Row[Any]) -> Generation:
    return Generation(**row._asdict())


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
    new = {name: statement.excluded[name] for name in ("name", "language", "engine", "engine_settings", "revision")}
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[voices.c.id],
            set_=new,
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


async def clear_voice(session: AsyncSession, voice_ids: Sequence[UUID]) -> None:
    """Take the reference to these voices from all generations; their names stay."""
    await session.execute(update(generations).where(generations.c.voice_id.in_(voice_ids)).values(voice_id=None))


async def insert_generation(
    session: AsyncSession,
    *,
    generation_id: UUID,
    org_id: UUID,
    request: Request,
    voice: Voice,
    idempotency_key: str | None,
    now: datetime,
) -> Generation:
    """Write a new, pending generation."""
    row = {
        "id": generation_id,
        "org_id": org_id,
        "voice_id": request.voice_id,
        "voice_name": voice.name,
        "text": request.text,
        "characters": request.characters,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "repetition_penalty": request.repetition_penalty,
        "speed": request.speed,
        "format": request.format,
        "model_id": voice.engine,
        "idempotency_key": idempotency_key,
        "request_hash": request.fingerprint(),
        "created_at": now,
        "updated_at": now,
    }
    return _generation((await session.execute(_INSERT_GENERATION, row)).one())


async def get_generation(session: AsyncSession, org_id: UUID, generation_id: UUID) -> Generation | None:
    """Return a generation of the organisation, or None."""
    statement = select(*_VISIBLE).where(generations.c.id == generation_id, generations.c.org_id == org_id)
    row = (await session.execute(statement)).one_or_none()
    return _generation(row) if row else None


async def get_by_idempotency_key(session: AsyncSession, org_id: UUID, key: str) -> Generation | None:
    """Return the generation that the organisation asked for under this key, or None."""
    statement = select(*_VISIBLE).where(generations.c.org_id == org_id, generations.c.idempotency_key == key)
    row = (await session.execute(statement)).one_or_none()
    return _generation(row) if row else None


async def list_generations(
    session: AsyncSession,
    org_id: UUID,
    *,
    status: Status | None,
    voice_id: UUID | None,
    after: Cursor | None,
    limit: int,
) -> list[Generation]:
    """Return generations, newest first, one more than `limit` when there are more."""
    position = tuple_(generations.c.created_at, generations.c.id)
    statement = select(*_VISIBLE).where(generations.c.org_id == org_id)
    if status is not None:
        statement = statement.where(generations.c.status == status)
    if voice_id is not None:
        statement = statement.where(generations.c.voice_id == voice_id)
    if after is not None:
        statement = statement.where(position < tuple_(literal(after.at), literal(after.id)))
    statement = statement.order_by(generations.c.created_at.desc(), generations.c.id.desc()).limit(limit + 1)
    return [_generation(row) for row in await session.execute(statement)]


async def delete_generation(session: AsyncSession, org_id: UUID, generation_id: UUID) -> list[str] | None:
    """Remove a generation; return the keys of its objects, or None when there is none."""
    statement = (
        delete(generations)
        .where(generations.c.id == generation_id, generations.c.org_id == org_id)
        .returning(generations.c.object_key)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else [key for key in row if key]


async def lock_pending_generation(session: AsyncSession, org_id: UUID, generation_id: UUID) -> bool:
    """Keep a generation that nobody has taken yet from being deleted until the transaction ends; say whether it is."""
    statement = (
        select(generations.c.id)
        .where(generations.c.id == generation_id, generations.c.org_id == org_id, generations.c.status == "pending")
        .with_for_update()
    )
    return (await session.execute(statement)).first() is not None


async def claim_generation(session: AsyncSession, org_id: UUID, generation_id: UUID, attempt_id: UUID) -> bool:
    """Take a generation for rendering and note the try; False when it is gone, rendered or finished."""
    row = {"attempt_id": attempt_id, "generation_id": generation_id, "org_id": org_id}
    return (await session.execute(_CLAIM, row)).first() is not None


async def fail_attempt(session: AsyncSession, attempt_id: UUID, error: str) -> None:
    """Note that a try failed."""
    await session.execute(update(attempts).where(attempts.c.id == attempt_id).values(status="failed", error=error))


async def save_rendered(
    session: AsyncSession,
    org_id: UUID,
    generation_id: UUID,
    attempt_id: UUID,
    *,
    object_key: str,
    duration_seconds: float,
    applied: dict[str, Any],
    timings: dict[str, float],
) -> bool:
    """Write down a generation's audio and how the try went.

    False when the generation is gone, finished, or another worker was first.
    """
    row = {
        "attempt_id": attempt_id,
        "generation_id": generation_id,
        "org_id": org_id,
        "object_key": object_key,
        "duration_seconds": duration_seconds,
        "applied": applied,
        "timings": timings,
    }
    return (await session.execute(_SAVE_RENDERED, row)).first() is not None


async def complete_generations(session: AsyncSession, generation_ids: Sequence[UUID]) -> list[Generation]:
    """Complete those that are not finished and return them."""
    rows = await session.execute(_COMPLETE, {"ids": list(generation_ids)})
    return [_generation(row) for row in rows]


async def fail_generation(session: AsyncSession, generation_id: UUID, *, code: str, reason: str) -> bool:
    """Fail a generation that is not finished; False when there is none."""
    statement = (
        update(generations)
        .where(generations.c.id == generation_id, generations.c.status.in_(("pending", "processing")))
        .values(status="failed", error_code=code, error=reason)
        .returning(generations.c.id)
    )
    return (await session.execute(statement)).first() is not None


async def get_object_key(session: AsyncSession, generation_id: UUID) -> str | None:
    """Return the key of a generation's audio, if the generation is there and has some."""
    statement = select(generations.c.object_key).where(generations.c.id == generation_id)
    return (await session.execute(statement)).scalar_one_or_none()
