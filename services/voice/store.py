"""The voice service's tables and the statements on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    MetaData,
    RowMapping,
    Select,
    Table,
    Text,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from services.voice.domain import Category, Recording, Status, Variant, Voice, VoiceNameTaken

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

voices = Table(
    "voices",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("name", Text),
    Column("description", Text),
    Column("category", Text),
    Column("language", Text),
    Column("variant", Text),
    Column("object_key", Text),
    Column("engine", Text),
    Column("engine_settings", JSONB),
    Column("status", Text),
    Column("revision", BigInteger),
    Column("catalogue_fingerprint", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)

samples = Table(
    "voice_samples",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("voice_id", _uuid),
    Column("org_id", _uuid),
    Column("object_key", Text),
    Column("content_type", Text),
    Column("size_bytes", BigInteger),
    Column("sha256", Text),
    Column("duration_seconds", Double),
    Column("sample_rate", Integer),
    Column("channels", Integer),
)

_VOICE = [voices.c[name] for name in Voice.__slots__]
_NEWEST_FIRST = (voices.c.created_at.desc(), voices.c.id.desc())
# Kept when the catalogue's voice changes: who it is and since when.
_LASTING = ("id", "org_id", "variant", "revision", "created_at", "updated_at")


@dataclass(frozen=True, slots=True)
class VoiceFilter:
    """Which voices a list is about; None does not restrict. `language` also takes in its regions."""

    query: str | None = None
    category: Category | None = None
    language: str | None = None
    variant: Variant | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording of a custom voice, as it lies in the object store."""

    id: UUID
    voice_id: UUID
    org_id: UUID
    object_key: str
    content_type: str
    size_bytes: int
    sha256: str
    recording: Recording


def _voice(row: RowMapping) -> Voice:
    enums = {"category": Category(row["category"]), "variant": Variant(row["variant"]), "status": Status(row["status"])}
    return Voice(**{**row, **enums})


def _visible(org_id: UUID) -> Select[Any]:
    """Select the voices that an organisation knows: everybody's and its own."""
    return select(*_VOICE).where(or_(voices.c.org_id.is_(None), voices.c.org_id == org_id))


async def list_voices(
    session: AsyncSession, org_id: UUID, wanted: VoiceFilter, *, after: Cursor | None, limit: int
) -> list[Voice]:
    """Return ready voices, newest first, with one more than `limit` if there are more."""
    conditions = [voices.c.status == Status.READY, *_conditions(wanted)]
    if after:
        position = tuple_(literal(after.at, voices.c.created_at.type), literal(after.id, voices.c.id.type))
        conditions.append(tuple_(voices.c.created_at, voices.c.id) < position)
    statement = _visible(org_id).where(*conditions).order_by(*_NEWEST_FIRST).limit(limit + 1)
    return [_voice(row) for row in (await session.execute(statement)).mappings()]


def _conditions(wanted: VoiceFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.query:
        yield or_(
            voices.c.name.icontains(wanted.query, autoescape=True),
            voices.c.description.icontains(wanted.query, autoescape=True),
        )
    if wanted.category:
        yield voices.c.category == wanted.category
    if wanted.variant:
        yield voices.c.variant == wanted.variant
    if wanted.language:
        tag, stored = wanted.language.lower(), func.lower(voices.c.language)
        yield or_(stored == tag, stored.startswith(f"{tag}-", autoescape=True))


async def get_voice(session: AsyncSession, org_id: UUID, voice_id: UUID) -> Voice | None:
    """Return a voice that the organisation knows, or None."""
    row = (await session.execute(_visible(org_id).where(voices.c.id == voice_id))).mappings().one_or_none()
    return _voice(row) if row else None


async def lock_custom_voice(session: AsyncSession, org_id: UUID, voice_id: UUID) -> Voice | None:
    """Return a custom voice of the organisation, which nobody else can change until the end; or None."""
    statement = select(*_VOICE).where(voices.c.id == voice_id, voices.c.org_id == org_id).with_for_update()
    row = (await session.execute(statement)).mappings().one_or_none()
    return _voice(row) if row else None


async def list_object_keys(session: AsyncSession, voice: Voice) -> list[str]:
    """Return the keys of all objects of a voice: its recordings and what it is previewed with."""
    statement = select(samples.c.object_key).where(samples.c.voice_id == voice.id)
    keys = set((await session.execute(statement)).scalars())
    return sorted(keys | ({voice.object_key} if voice.object_key else set()))


async def insert_voice(session: AsyncSession, voice: Voice) -> None:
    """Add a voice; raises VoiceNameTaken."""
    try:
        await session.execute(insert(voices).values(asdict(voice)))
    except IntegrityError as error:
        if '"voices_name"' in str(error.orig):
            raise VoiceNameTaken(voice.name) from error
        raise


async def insert_sample(session: AsyncSession, sample: Sample) -> None:
    """Add a recording to a voice."""
    fields = asdict(sample)
    await session.execute(insert(samples).values(fields | fields.pop("recording")))


async def delete_voice(session: AsyncSession, voice_id: UUID) -> None:
    """Remove a voice with its recordings' rows."""
    await session.execute(delete(voices).where(voices.c.id == voice_id))


async def get_catalogue_fingerprints(session: AsyncSession) -> dict[UUID, str | None]:
    """Return from which state of the catalogue each system voice was made."""
    statement = select(voices.c.id, voices.c.catalogue_fingerprint).where(voices.c.variant == Variant.SYSTEM)
    return {row.id: row.catalogue_fingerprint for row in await session.execute(statement)}


async def save_system_voices(session: AsyncSession, fingerprints: Sequence[tuple[Voice, str]]) -> list[Voice]:
    """Insert or renew system voices, each with its fingerprint; return those that this changed.

    Two processes may do this at once: the second waits, finds the fingerprints written and changes nothing.
    Needs a transaction opened for SYSTEM_ORG. A voice that was inserted has revision 1.
    """
    # In one order, so that two transactions never wait for each other in a circle.
    ordered = sorted(fingerprints, key=lambda pair: pair[0].id)
    statement = upsert(voices).values([asdict(voice) | {"catalogue_fingerprint": state} for voice, state in ordered])
    new = statement.excluded
    changed: dict[str, Any] = {column.name: new[column.name] for column in _VOICE if column.name not in _LASTING}
    statement = statement.on_conflict_do_update(
        index_elements=[voices.c.id],
        set_=changed | {"catalogue_fingerprint": new.catalogue_fingerprint, "revision": voices.c.revision + 1},
        where=voices.c.catalogue_fingerprint.is_distinct_from(new.catalogue_fingerprint),
    )
    return [_voice(row) for row in (await session.execute(statement.returning(*_VOICE))).mappings()]
