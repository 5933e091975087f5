"""Renditions: the audio that equal requests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.generation.domain.requests import Mode
from services.generation.domain.speech import Spec

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

renditions = Table(
    "renditions",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("fingerprint", Text),
    Column("text", Text),
    Column("spec", JSONB),
    Column("mode", Text),
    Column("status", Text),
    Column("chunks_total", Integer),
    Column("chunks_done", Integer),
    Column("characters_spoken", Integer),
    Column("samples", BigInteger),
    Column("object_key", Text),
    Column("alignment_key", Text),
    Column("times", LargeBinary),
    Column("duration_seconds", Double),
    Column("size_bytes", BigInteger),
    Column("applied", JSONB),
)


@dataclass(frozen=True, slots=True)
class Rendition:
    """The audio of a text, as far as it is made."""

    id: UUID
    org_id: UUID
    text: str
    spec: dict[str, Any]  # Any: what Spec.to_json wrote
    mode: Mode
    status: str
    chunks_total: int | None
    chunks_done: int
    characters_spoken: int | None
    object_key: str | None
    alignment_key: str | None
    duration_seconds: float | None
    size_bytes: int | None
    applied: dict[str, Any]  # Any: the engine's own values


def new_rendition(rendition_id: UUID, org_id: UUID, text: str, spec: Spec, mode: Mode) -> Rendition:
    """Return a rendition of which nothing is made yet."""
    return Rendition(
        rendition_id, org_id, text, spec.to_json(), mode, "pending", None, 0, None, None, None, None, None, {}
    )


RENDITION = select(*(renditions.c[name] for name in Rendition.__slots__))
_INSERT = Prepared(
    upsert(renditions)
    .on_conflict_do_nothing(index_elements=[renditions.c.org_id, renditions.c.fingerprint])
    .returning(renditions.c.id),
    columns=("id", "org_id", "fingerprint", "text", "spec", "mode", "status", "chunks_done", "applied"),
)
_SHARE = Prepared(
    text(
        f"""
    with known as materialized (select id from renditions where org_id = :org_id and fingerprint = :fingerprint)
    select r.* from known left join lateral (
        select {", ".join(Rendition.__slots__)} from renditions
        where id = known.id and fingerprint = :fingerprint for share) r on true
    """  # noqa: S608 - names of ours
    ).bindparams(bindparam("org_id", type_=_uuid), bindparam("fingerprint", type_=Text))
)


class RenditionEnded(Exception):
    """It ended while it was waited for.

    What was waited for is locked all the same, whoever holds pieces may wait for it, and so nothing more may be locked
    after it: the transaction has to begin anew.
    """


async def share_rendition(session: AsyncSession, org_id: UUID, fingerprint: str) -> Rendition | None:
    """Return the rendition of equal requests and keep it as it is until the transaction ends; None without one.

    Raises RenditionEnded.
    """
    row = await _SHARE.fetch_one(session, org_id=org_id, fingerprint=fingerprint)
    if row is not None and row["id"] is None:
        raise RenditionEnded
    return Rendition(**row) if row else None


async def insert_rendition(
    session: AsyncSession,
    rendition_id: UUID,
    org_id: UUID,
    *,
    fingerprint: str | None,
    text: str,
    spec: Spec,
    mode: Mode,
) -> bool:
    """Write a new, pending rendition; False when an equal request was first."""
    row = {
        "id": rendition_id,
        "org_id": org_id,
        "fingerprint": fingerprint,
        "text": text,
        "spec": spec.to_json(),
        "mode": mode,
        "status": "pending",
        "chunks_done": 0,
        "applied": {},
    }
    return await _INSERT.fetch_one(session, **row) is not None


def locking(rendition_id: UUID) -> str:
    """Return the statement that keeps a rendition as it is until the transaction ends, if it is there."""
    return f"select from renditions where id = '{rendition_id}' for update"


async def get_rendition(session: AsyncSession, rendition_id: UUID, *, lock: bool = False) -> Rendition | None:
    """Return a rendition, or None; with `lock` it stays as it is until the transaction ends."""
    statement = RENDITION.where(renditions.c.id == rendition_id)
    row = (await session.execute(statement.with_for_update() if lock else statement)).one_or_none()
    return Rendition(**row._asdict()) if row else None


async def end_rendition(
    session: AsyncSession, rendition_id: UUID, status: Literal["failed", "canceled"], *, even_completed: bool = False
) -> bool:
    """Fail or cancel a rendition, so that equal requests begin anew; False when there is none that can be.

    Audio that was made can fail, when storage refuses it (`even_completed`), but not be canceled: storage has it under
    the rendition's id, and would take no other.
    """
    unended = ["pending"]
    if status == "failed":
        unended += ["rendered", "completed"] if even_completed else ["rendered"]
    statement = (
        update(renditions)
        .where(renditions.c.id == rendition_id, renditions.c.status.in_(unended))
        .values(status=status, fingerprint=None)
        .returning(renditions.c.id)
    )
    return (await session.execute(statement)).first() is not None


async def reopen_rendition(session: AsyncSession, rendition_id: UUID) -> None:
    """Let a rendition that failed or was canceled, and is locked, be made after all."""
    statement = update(renditions).where(renditions.c.id == rendition_id)
    await session.execute(
        statement.values(
            status="pending",
            chunks_total=None,
            chunks_done=0,
            characters_spoken=None,
            object_key=None,
            alignment_key=None,
            duration_seconds=None,
            samples=None,
            size_bytes=None,
        )
    )


async def remake_rendition(session: AsyncSession, rendition_id: UUID) -> None:
    """Let completed audio, which is locked, be made once more: what is known of it stays until it is."""
    await session.execute(update(renditions).where(renditions.c.id == rendition_id).values(status="pending"))


_COMPLETE = Prepared(
    text(
        """
        with locked as (select id from renditions where id = any(:ids) order by id for update)
        update renditions r set status = 'completed' from locked where r.id = locked.id and r.status = 'rendered'
        """
    ).bindparams(bindparam("ids", type_=ARRAY(_uuid)))
)


async def complete_renditions(session: AsyncSession, rendition_ids: Sequence[UUID]) -> None:
    """Write down that the audio of rendered ones can be read; whoever joins them meanwhile waits for that."""
    await _COMPLETE.fetch(session, ids=list(rendition_ids))


async def list_audio(session: AsyncSession, rendition_ids: Sequence[UUID]) -> dict[UUID, tuple[str, int]]:
    """Return object key and size in bytes of the audio of these renditions, as far as they have some."""
    statement = select(renditions.c.id, renditions.c.object_key, renditions.c.size_bytes).where(
        renditions.c.id.in_(rendition_ids), renditions.c.object_key.is_not(None)
    )
    return {row.id: (row.object_key, row.size_bytes or 0) for row in await session.execute(statement)}


_OBJECTS = text(
    """
    select object_key from renditions where id = :id and object_key is not null
    union all select alignment_key from renditions where id = :id and alignment_key is not null
    union all select object_key from speech_cache
        where org_id = :org_id and cache_key = :cache_key and object_key is not null
    """
).bindparams(bindparam("org_id", type_=_uuid), bindparam("id", type_=_uuid), bindparam("cache_key", type_=Text))


async def list_objects(session: AsyncSession, org_id: UUID, rendition_id: UUID, cache_key: str | None) -> set[str]:
    """Return the keys of the objects of a rendition's audio and of a piece, as far as there are some."""
    which = {"org_id": org_id, "id": rendition_id, "cache_key": cache_key}
    return set((await session.execute(_OBJECTS, which)).scalars())


async def delete_rendition(session: AsyncSession, rendition: Rendition) -> list[str]:
    """Remove a rendition, whose chunks are released; return the keys of the objects that go with it."""
    await session.execute(delete(renditions).where(renditions.c.id == rendition.id))
    return [key for key in (rendition.object_key, rendition.alignment_key) if key]


@dataclass(frozen=True, slots=True)
class Audio:
    """A rendition's audio in the object store; `characters_spoken` is None where the plan said it already."""

    object_key: str
    alignment_key: str | None
    duration_seconds: float
    samples: int
    size_bytes: int
    applied: dict[str, Any] | None = None  # Any: the engine's own values
    characters_spoken: int | None = None
    times: bytes | None = None


async def is_complete(session: AsyncSession, rendition_id: UUID) -> bool:
    """Say whether every piece of a rendition is spoken."""
    statement = select(renditions.c.chunks_done == renditions.c.chunks_total).where(renditions.c.id == rendition_id)
    return bool((await session.execute(statement)).scalar_one())


async def get_times(session: AsyncSession, rendition_id: UUID) -> bytes | None:
    """Return the times of a text that was spoken as a whole, as they were saved."""
    statement = select(renditions.c.times).where(renditions.c.id == rendition_id)
    times: bytes | None = (await session.execute(statement)).scalar_one_or_none()
    return times
