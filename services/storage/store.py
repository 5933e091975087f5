"""The storage service's tables and the statements on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from libs.ids import new_id
from services.storage.domain.audio import Alignment, AudioRefused, RenderedAudio, Timeline, Track

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

tracks = Table(
    "audio_tracks",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("generation_id", _uuid),
    Column("org_id", _uuid),
    Column("object_key", Text),
    Column("text", Text),
    Column("duration_seconds", Double),
    Column("format", Text),
    Column("content_type", Text),
    Column("size_bytes", BigInteger),
    Column("sha256", Text),
    Column("sample_rate", Integer),
    Column("metadata", JSONB),
    Column("language", Text),
    Column("alignment_key", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)

alignments = Table(
    "audio_alignments",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("track_id", _uuid),
    Column("org_id", _uuid),
    Column("duration_seconds", Double),
    Column("characters", ARRAY(Text)),
    Column("start_times", ARRAY(Double)),
    Column("end_times", ARRAY(Double)),
    Column("normalized_text", Text),
    Column("normalized_starts", ARRAY(Double)),
    Column("normalized_ends", ARRAY(Double)),
)

tombstones = Table(
    "deleted_generations",
    _metadata,
    Column("generation_id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("object_keys", ARRAY(Text)),
    Column("size_bytes", BigInteger),
    Column("deleted_at", DateTime(timezone=True)),
)

_REFUSALS = {
    "track_duration": "the duration is not positive",
    "track_format": "the format is not the short name of one",
    "track_content_type": "the content type is not that of audio",
    "track_size": "the audio is empty",
    "track_sha256": "the SHA-256 is not 64 lower-case hexadecimal digits",
    "track_sample_rate": "the sample rate is not positive",
    "alignment_lengths": "the alignment has not one start and one end time for each character of the text",
    "alignment_complete": "the alignment has a time that is missing",
    "alignment_ends": "the alignment has a character that ends before it starts",
    "alignment_starts": "the alignment's start times are not in order from zero",
    "alignment_duration": "the alignment has a character that ends after the audio",
    "normalized_complete": "the normalized text lacks some of its times",
    "normalized_lengths": "the normalized text has not one start and one end time for each character",
    "normalized_ends": "the normalized text has a character that ends before it starts",
    "normalized_starts": "the normalized text's start times are not in order from zero",
    "normalized_duration": "the normalized text has a character that ends after the audio",
}


_INSERT_TRACK = Prepared(
    text("""
with told as (
    insert into inbox (consumer, event_id) values (:consumer, :event_id) on conflict do nothing returning event_id
), track as (
    insert into audio_tracks (
        id, generation_id, org_id, object_key, text, duration_seconds, format, content_type, size_bytes, sha256,
        sample_rate, metadata, language, alignment_key, created_at, updated_at
    )
    select
        :id, :generation_id, :org_id, :object_key, :text, :duration_seconds, :format, :content_type, :size_bytes,
        :sha256, :sample_rate, :metadata, :language, :alignment_key, :now, :now
    from told where not exists (select from deleted_generations where generation_id = :generation_id)
    on conflict (generation_id) do nothing
    returning id, org_id, duration_seconds
), alignment as (
    insert into audio_alignments (
        id, track_id, org_id, duration_seconds, characters, start_times, end_times,
        normalized_text, normalized_starts, normalized_ends
    )
    select :alignment_id, id, org_id, duration_seconds, :characters, :start_times, :end_times,
        :normalized_text, :normalized_starts, :normalized_ends
    from track where cast(:alignment_key as text) is null
)
select id from track
""").bindparams(
        *(bindparam(column.name, type_=column.type) for column in tracks.c if not column.name.endswith("_at")),
        *(
            bindparam(name, type_=alignments.c[name].type)
            for name in (
                "characters",
                "start_times",
                "end_times",
                "normalized_text",
                "normalized_starts",
                "normalized_ends",
            )
        ),
        bindparam("alignment_id", type_=_uuid),
        bindparam("event_id", type_=_uuid),
        bindparam("now", type_=DateTime(timezone=True)),
    )
)

# Of what a tombstone has and what comes anew, each key once: it must not grow with every time that it is told.
_UNITED_KEYS = text("array(select distinct unnest(deleted_generations.object_keys || excluded.object_keys) order by 1)")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted generation: the objects that have to go with it, and how many bytes its track had."""

    object_keys: Sequence[str]
    size_bytes: int


def locking(generation_id: UUID) -> str:
    """Return the statement that lets only one transaction at a time decide about a generation, with rows or without."""
    return f"select pg_advisory_xact_lock(hashtextextended('{generation_id}', 0))"


async def insert_track(
    session: AsyncSession, audio: RenderedAudio, consumer: str, event_id: str, *, track_id: UUID, now: datetime
) -> bool:
    """Write track and alignment, once for each event that `consumer` gets, which is remembered.

    False when it is known, or the generation, which is locked, has a track already or was deleted. Raises AudioRefused
    when the database's constraints forbid it; the transaction is lost then.
    """
    normalized = audio.normalized
    row = {
        "consumer": consumer,
        "event_id": UUID(event_id),
        "id": track_id,
        "generation_id": audio.generation_id,
        "org_id": audio.org_id,
        "object_key": audio.object_key,
        "text": audio.text,
        "duration_seconds": audio.duration_seconds,
        "format": audio.format,
        "content_type": audio.content_type,
        "size_bytes": audio.size_bytes,
        "sha256": audio.sha256,
        "sample_rate": audio.sample_rate,
        "metadata": {"model_id": audio.model_id, "input_type": audio.input_type},
        "language": audio.language,
        "alignment_key": audio.alignment_key,
        "now": now,
        "alignment_id": new_id(),
        # Of a long text they lie beside the audio.
        "characters": [] if audio.alignment_key else list(audio.text),
        "start_times": list(audio.start_times),
        "end_times": list(audio.end_times),
        "normalized_text": normalized.text if normalized else None,
        "normalized_starts": list(normalized.start_times) if normalized else None,
        "normalized_ends": list(normalized.end_times) if normalized else None,
    }
    try:
        return await _INSERT_TRACK.fetch_one(session, **row) is not None
    except asyncpg.IntegrityConstraintViolationError as error:
        constraint = error.constraint_name or ""
        if constraint not in _REFUSALS:
            raise
        # Without its cause: the database's message repeats the row, text and all.
        raise AudioRefused(_REFUSALS[constraint]) from None


async def get_track(session: AsyncSession, org_id: UUID, generation_id: UUID) -> Track | None:
    """Return the track of a generation of the organisation, or None."""
    statement = select(*(tracks.c[name] for name in Track.__slots__)).where(
        tracks.c.generation_id == generation_id, tracks.c.org_id == org_id
    )
    row = (await session.execute(statement)).one_or_none()
    return Track(**row._asdict()) if row else None


async def get_alignment(session: AsyncSession, org_id: UUID, generation_id: UUID) -> Alignment | str | None:
    """Return the alignment of a generation of the organisation, or the key of the object that holds it, or None."""
    statement = (
        select(
            tracks.c.text,
            tracks.c.language,
            tracks.c.alignment_key,
            tracks.c.metadata["input_type"].astext.label("input_type"),
            *(alignments.c[name] for name in ("start_times", "end_times")),
            *(alignments.c[name] for name in ("normalized_text", "normalized_starts", "normalized_ends")),
        )
        .outerjoin_from(tracks, alignments, tracks.c.id == alignments.c.track_id)
        .where(tracks.c.generation_id == generation_id, tracks.c.org_id == org_id)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None or row.alignment_key is not None:
        return row.alignment_key if row else None
    normalized = None
    if row.normalized_text is not None:
        normalized = Timeline(row.normalized_text, row.normalized_starts, row.normalized_ends)
    sent = Timeline(row.text, row.start_times, row.end_times)
    return Alignment(sent, normalized, row.language, row.input_type == "ssml")


async def is_deleted(session: AsyncSession, generation_id: UUID) -> bool:
    """Say whether the generation is gone for good."""
    statement = select(exists().where(tombstones.c.generation_id == generation_id))
    return bool((await session.execute(statement)).scalar_one())


async def bury_generation(
    session: AsyncSession, org_id: UUID, generation_id: UUID, object_keys: Sequence[str], *, now: datetime
) -> Tombstone:
    """Delete the track, remember that the generation is gone, and return what has to be deleted with it.

    Doing so again returns the same and more, never less: the objects of the first time may still be there.
    """
    gone = (
        await session.execute(
            delete(tracks)
            .where(tracks.c.generation_id == generation_id, tracks.c.org_id == org_id)
            .returning(tracks.c.object_key, tracks.c.alignment_key, tracks.c.size_bytes)
        )
    ).one_or_none()
    keys = [*object_keys, *([gone.object_key] if gone else [])]
    if gone and gone.alignment_key:
        keys.append(gone.alignment_key)
    statement = upsert(tombstones).values(
        generation_id=generation_id,
        org_id=org_id,
        object_keys=sorted(set(keys)),
        size_bytes=gone.size_bytes if gone else 0,
        deleted_at=now,
    )
    new = statement.excluded
    row = (
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=[tombstones.c.generation_id],
                set_={
                    "object_keys": _UNITED_KEYS,
                    "size_bytes": tombstones.c.size_bytes + new.size_bytes,
                },
            ).returning(tombstones.c.object_keys, tombstones.c.size_bytes)
        )
    ).one()
    return Tombstone(row.object_keys, row.size_bytes)
