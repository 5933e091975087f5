"""The storage service's tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Double, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid

_metadata = MetaData()
UUID_TYPE = PgUuid(as_uuid=True)
tracks = Table(
    "audio_tracks",
    _metadata,
    Column("id", UUID_TYPE, primary_key=True),
    Column("generation_id", UUID_TYPE),
    Column("org_id", UUID_TYPE),
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
    Column("id", UUID_TYPE, primary_key=True),
    Column("track_id", UUID_TYPE),
    Column("org_id", UUID_TYPE),
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
    Column("generation_id", UUID_TYPE, primary_key=True),
    Column("org_id", UUID_TYPE),
    Column("object_keys", ARRAY(Text)),
    Column("size_bytes", BigInteger),
    Column("deleted_at", DateTime(timezone=True)),
)
lost_tracks = Table(
    "lost_tracks",
    _metadata,
    Column("generation_id", UUID_TYPE, primary_key=True),
    Column("org_id", UUID_TYPE),
    Column("track_id", UUID_TYPE),
    Column("object_key", Text),
    Column("lost_at", DateTime(timezone=True)),
)
