"""The voice service's tables and the statements on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
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
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from services.voice.domain import Category, Sample, Status, Variant, Voice, VoiceNameTaken

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
    Column("settings", JSONB),
    Column("reasons", JSONB),
    Column("quality", JSONB(none_as_null=True)),
    Column("matching", JSONB(none_as_null=True)),
    Column("sample_count", Integer),
    Column("preview_key", Text),
    Column("preview_sha256", Text),
    Column("discarded_keys", ARRAY(Text)),
    Column("submitted", Integer),
    Column("examined", Integer),
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
    Column("position", Integer),
    Column("content_type", Text),
    Column("size_bytes", BigInteger),
    Column("sha256", Text),
    Column("duration_seconds", Double),
    Column("sample_rate", Integer),
    Column("channels", Integer),
    Column("report", JSONB(none_as_null=True)),
    Column("problem", Text),
)

_VOICE = [voices.c[one.name] for one in fields(Voice)]
_SAMPLE = [samples.c[one.name] for one in fields(Sample)]
_UNCHANGING = ("id", "org_id", "variant", "created_at", "updated_at")
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
    status: Status = Status.READY


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many bytes the recordings of a custom voice have, which were submitted so often."""

    id: UUID
    org_id: UUID
    submitted: int
    size_bytes: int


def _voice(row: RowMapping) -> Voice:
    enums = {"category": Category(row["category"]), "variant": Variant(row["variant"]), "status": Status(row["status"])}
    return Voice(**{**row, **enums})


def _visible(org_id: UUID) -> Select[Any]:
    """Select the voices that an organisation knows: everybody's and its own."""
    return select(*_VOICE).where(or_(voices.c.org_id.is_(None), voices.c.org_id == org_id))


async def list_voices(
    session: AsyncSession, org_id: UUID, wanted: VoiceFilter, *, after: Cursor | None, limit: int
) -> list[Voice]:
    """Return voices, newest first, with one more than `limit` if there are more."""
    conditions = [voices.c.status == wanted.status, *_conditions(wanted)]
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


async def count_by_category(session: AsyncSession, org_id: UUID) -> dict[Category, int]:
    """Return how many ready voices of each category the organisation knows; none of those without any."""
    ready = _visible(org_id).where(voices.c.status == Status.READY).subquery()
    statement = select(ready.c.category, func.count()).group_by(ready.c.category)
    return {Category(category): count for category, count in await session.execute(statement)}


async def list_object_keys(session: AsyncSession, voice: Voice) -> list[str]:
    """Return the keys of all objects of a voice: its recordings, its preview, and what was discarded."""
    statement = select(samples.c.object_key).where(samples.c.voice_id == voice.id)
    keys = {*(await session.execute(statement)).scalars(), *voice.discarded_keys, voice.object_key, voice.preview_key}
    return sorted(key for key in keys if key)


@contextmanager
def _name_given_once(name: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if '"voices_name"' in str(error.orig):
            raise VoiceNameTaken(name) from error
        raise


async def insert_voice(session: AsyncSession, voice: Voice) -> None:
    """Add a voice; raises VoiceNameTaken."""
    with _name_given_once(voice.name):
        await session.execute(insert(voices).values(asdict(voice)))


async def update_voice(session: AsyncSession, voice: Voice) -> Voice:
    """Write a voice that the transaction has locked, and return it as it is now; raises VoiceNameTaken."""
    changed = {name: value for name, value in asdict(voice).items() if name not in _UNCHANGING}
    statement = update(voices).where(voices.c.id == voice.id).values(changed).returning(*_VOICE)
    with _name_given_once(voice.name):
        return _voice((await session.execute(statement)).mappings().one())


async def forget_discarded(session: AsyncSession, voice_id: UUID, keys: Sequence[str]) -> None:
    """Note that objects which were not used any more are gone."""
    kept: ColumnElement[Any] = voices.c.discarded_keys
    for key in keys:
        kept = func.array_remove(kept, key)
    await session.execute(update(voices).where(voices.c.id == voice_id).values(discarded_keys=kept))


async def insert_samples(session: AsyncSession, recordings: Sequence[Sample]) -> None:
    """Add recordings to a voice."""
    await session.execute(insert(samples), [asdict(sample) for sample in recordings])


async def list_samples(session: AsyncSession, voice_id: UUID) -> list[Sample]:
    """Return the recordings of a voice, in their order."""
    statement = select(*_SAMPLE).where(samples.c.voice_id == voice_id).order_by(samples.c.position, samples.c.id)
    return [Sample(**row) for row in (await session.execute(statement)).mappings()]


async def update_sample(session: AsyncSession, sample_id: UUID, changed: Mapping[str, Any]) -> None:
    """Write what was found of a recording; Any: columns by their names."""
    await session.execute(update(samples).where(samples.c.id == sample_id).values(changed))


async def delete_sample(session: AsyncSession, sample_id: UUID) -> None:
    """Remove a recording's row."""
    await session.execute(delete(samples).where(samples.c.id == sample_id))


async def delete_voice(session: AsyncSession, voice_id: UUID) -> None:
    """Remove a voice with its recordings' rows."""
    await session.execute(delete(voices).where(voices.c.id == voice_id))


async def list_all(session: AsyncSession, *, after: UUID | None, limit: int) -> list[Voice]:
    """Return up to `limit` of the voices that the transaction sees, by their ids, behind `after`."""
    statement = select(*_VOICE).order_by(voices.c.id).limit(limit)
    if after is not None:
        statement = statement.where(voices.c.id > after)
    return [_voice(row) for row in (await session.execute(statement)).mappings()]


async def list_recorded(session: AsyncSession, *, after: UUID, limit: int) -> list[Recorded]:
    """Return what is recorded of up to `limit` of the custom voices that the transaction sees, behind `after`."""
    total = select(func.coalesce(func.sum(samples.c.size_bytes), 0)).where(samples.c.voice_id == voices.c.id)
    statement = (
        select(voices.c.id, voices.c.org_id, voices.c.submitted, total.scalar_subquery().label("size_bytes"))
        .where(voices.c.org_id.is_not(None), voices.c.id > after)
        .order_by(voices.c.id)
        .limit(limit)
    )
    return [Recorded(**row._asdict()) for row in await session.execute(statement)]


async def list_known(session: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these ids that are of voices."""
    return set((await session.execute(select(voices.c.id).where(voices.c.id.in_(ids)))).scalars())


async def save_preview(session: AsyncSession, voice_id: UUID, sha256: str) -> None:
    """Write what a system voice's preview is by now."""
    await session.execute(update(voices).where(voices.c.id == voice_id).values(preview_sha256=sha256))


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
