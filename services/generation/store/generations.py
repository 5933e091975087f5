"""Generations: what organisations asked for, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.generation.domain.requests import Generation, Request, Voice
from services.generation.store.queue import queue
from services.generation.store.renditions import renditions

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

generations = Table(
    "generations",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("key_id", _uuid),
    Column("user_id", _uuid),
    Column("voice_id", _uuid),
    Column("voice_name", Text),
    Column("text", Text),
    Column("characters", Integer),
    Column("temperature", Double),
    Column("top_p", Double),
    Column("top_k", Integer),
    Column("repetition_penalty", Double),
    Column("speed", Double),
    Column("pitch", Double),
    Column("volume", Double),
    Column("seed", BigInteger),
    Column("format", Text),
    Column("mode", Text),
    Column("input_type", Text),
    Column("language", Text),
    Column("use_cache", Boolean),
    Column("dictionaries", JSONB),
    Column("model_id", Text),
    Column("model_voice", Text),
    Column("applied", JSONB),
    Column("status", Text),
    Column("error_code", Text),
    Column("error", Text),
    Column("object_key", Text),
    Column("duration_seconds", Double),
    Column("characters_spoken", Integer),
    Column("rendition_id", _uuid),
    Column("revised_from", _uuid),
    Column("tries", Integer),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
UNFINISHED = ("pending", "processing")
_COMPUTED = ("status", "chunks_total", "chunks_done")
STORED_NAMES = [name for name in Generation.__slots__ if name not in _COMPUTED]
STORED = [generations.c[name] for name in STORED_NAMES]

# That somebody works on it is written nowhere: it follows from the queue, and from what is done.
_IS_BEING_SPOKEN = or_(
    renditions.c.chunks_done > 0,
    renditions.c.status == "rendered",
    exists().where(queue.c.rendition_id == renditions.c.id, queue.c.worker.is_not(None)),
)
STATUS: ColumnElement[str] = case(
    ((generations.c.status == "pending") & _IS_BEING_SPOKEN, "processing"), else_=generations.c.status
)
WITH_RENDITION = generations.outerjoin(renditions, renditions.c.id == generations.c.rendition_id)
PROGRESS = (STATUS.label("status"), renditions.c.chunks_total, renditions.c.chunks_done)
_VISIBLE: Select[Any] = select(*STORED, *PROGRESS).select_from(WITH_RENDITION)

_GET = Prepared(
    _VISIBLE.where(
        generations.c.id == bindparam("generation_id", type_=_uuid),
        generations.c.org_id == bindparam("org_id", type_=_uuid),
    )
)


def generation_of(row: asyncpg.Record) -> Generation:
    """Return the generation that a row holds, with the names of its fields."""
    return Generation(**{name: row[name] for name in Generation.__slots__})


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """What is written down of a request beside the request itself."""

    id: UUID
    org_id: UUID
    key_id: UUID
    user_id: UUID | None
    rendition_id: UUID
    revised_from: UUID | None
    now: datetime


GIVEN = (*(name for name in STORED_NAMES if name not in ("tries", "error_code", "error")), "status", "object_key")
_INSERT = Prepared(insert(generations), columns=GIVEN)


# Any: columns are of many types.
def generation_row(new: NewGeneration, request: Request, voice: Voice, *, language: str) -> dict[str, Any]:
    """Return what is written of a new, pending generation, by its columns."""
    return {
        "id": new.id,
        "org_id": new.org_id,
        "key_id": new.key_id,
        "user_id": new.user_id,
        "voice_id": voice.id,
        "voice_name": voice.name,
        "text": request.text,
        "characters": request.characters,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "repetition_penalty": request.repetition_penalty,
        "speed": _first(request.speed, voice.settings.get("speed"), 1.0),
        "pitch": _first(request.pitch, voice.settings.get("pitch"), 0.0),
        "volume": _first(request.volume, voice.settings.get("volume"), 1.0),
        "seed": request.seed,
        "format": request.format,
        "mode": request.mode,
        "input_type": request.input_type,
        "language": language,
        "use_cache": request.use_cache,
        "dictionaries": [{"id": str(one.id), "version": one.version} for one in request.dictionaries],
        "model_id": voice.engine,
        "model_voice": None if request.model_id is None else voice.engine_settings.get("voice", ""),
        "applied": {},
        "status": "pending",
        "object_key": None,
        "duration_seconds": None,
        "characters_spoken": None,
        "rendition_id": new.rendition_id,
        "revised_from": new.revised_from,
        "created_at": new.now,
        "updated_at": new.now,
    }


def new_generation(row: dict[str, Any]) -> Generation:  # Any: as above
    """Return the generation of which just this is written."""
    rest: dict[str, Any] = {"tries": 1, "error_code": None, "error": None, "chunks_total": None, "chunks_done": None}
    return Generation(**{name: row[name] if name in row else rest[name] for name in Generation.__slots__})


async def insert_generation(
    session: AsyncSession,
    new: NewGeneration,
    request: Request,
    voice: Voice,
    *,
    language: str,
    rendition: dict[str, Any] | None = None,
) -> Generation:
    """Write a generation: pending, or completed with what `rendition` says of audio that is there already."""
    row = generation_row(new, request, voice, language=language)
    if rendition is not None:
        row |= {"status": "completed", "characters_spoken": 0, **rendition}
    await _INSERT.fetch(session, **row)
    return new_generation(row)


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


async def get_generation(session: AsyncSession, org_id: UUID, generation_id: UUID) -> Generation | None:
    """Return a generation of the organisation, or None."""
    row = await _GET.fetch_one(session, generation_id=generation_id, org_id=org_id)
    return generation_of(row) if row else None


async def lock_generation(session: AsyncSession, org_id: UUID, generation_id: UUID) -> Generation | None:
    """Return a generation of the organisation and keep it as it is until the transaction ends; None without one."""
    lock = (
        select(generations.c.id)
        .where(generations.c.id == generation_id, generations.c.org_id == org_id)
        .with_for_update()
    )
    if (await session.execute(lock)).first() is None:
        return None
    return await get_generation(session, org_id, generation_id)


async def clear_voice(session: AsyncSession, voice_ids: Sequence[UUID]) -> None:
    """Take the reference to these voices from all generations; their names stay."""
    await session.execute(update(generations).where(generations.c.voice_id.in_(voice_ids)).values(voice_id=None))


async def delete_generation(session: AsyncSession, org_id: UUID, generation_id: UUID) -> bool:
    """Remove a generation; False when there is none."""
    statement = (
        delete(generations)
        .where(generations.c.id == generation_id, generations.c.org_id == org_id)
        .returning(generations.c.id)
    )
    return (await session.execute(statement)).first() is not None


async def is_wanted(session: AsyncSession, rendition_id: UUID) -> bool:
    """Say whether an unfinished generation waits for this rendition."""
    statement = select(exists().where(generations.c.rendition_id == rendition_id, generations.c.status.in_(UNFINISHED)))
    return bool((await session.execute(statement)).scalar_one())


async def list_unfinished(session: AsyncSession, rendition_id: UUID) -> list[UUID]:
    """Return the generations that wait for this rendition."""
    statement = select(generations.c.id).where(
        generations.c.rendition_id == rendition_id, generations.c.status.in_(UNFINISHED)
    )
    return list((await session.execute(statement)).scalars())


async def is_referred_to(session: AsyncSession, rendition_id: UUID) -> bool:
    """Say whether any generation has this rendition."""
    statement = select(exists().where(generations.c.rendition_id == rendition_id))
    return bool((await session.execute(statement)).scalar_one())
