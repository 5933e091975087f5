"""Audio tracks with their alignments: how they are written and found."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import DateTime, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from libs.ids import new_id
from services.storage.domain.audio import Alignment, AudioRefused, RenderedAudio, Timeline, Track
from services.storage.store.tables import UUID_TYPE, alignments, tracks

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
), lost as (
    delete from lost_tracks where generation_id = :generation_id and exists (select from told) returning track_id
), track as (
    insert into audio_tracks (
        id, generation_id, org_id, object_key, text, duration_seconds, format, content_type, size_bytes, sha256,
        sample_rate, metadata, language, alignment_key, created_at, updated_at
    )
    select
        coalesce((select track_id from lost), :id), :generation_id, :org_id, :object_key, :text, :duration_seconds,
        :format, :content_type, :size_bytes,
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
        bindparam("alignment_id", type_=UUID_TYPE),
        bindparam("event_id", type_=UUID_TYPE),
        bindparam("now", type_=DateTime(timezone=True)),
    )
)


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


_TRACK = select(*(tracks.c[name] for name in Track.__slots__)).where(
    tracks.c.org_id == bindparam("org_id", type_=UUID_TYPE)
)
_GET_TRACK = Prepared(_TRACK.where(tracks.c.generation_id == bindparam("generation_id", type_=UUID_TYPE)))
_GET_TRACK_BY_ID = Prepared(_TRACK.where(tracks.c.id == bindparam("track_id", type_=UUID_TYPE)))


async def get_track(session: AsyncSession, org_id: UUID, generation_id: UUID) -> Track | None:
    """Return the track of a generation of the organisation, or None."""
    row = await _GET_TRACK.fetch_one(session, org_id=org_id, generation_id=generation_id)
    return Track(**row) if row else None


async def get_track_by_id(session: AsyncSession, org_id: UUID, track_id: UUID) -> Track | None:
    """Return a track of the organisation, as it is sent, or None."""
    row = await _GET_TRACK_BY_ID.fetch_one(session, org_id=org_id, track_id=track_id)
    return Track(**row) if row else None


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
