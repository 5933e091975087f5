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

uploads = Table(
    "uploads",
    _metadata,
    Column("id", UUID_TYPE, primary_key=True),
    Column("org_id", UUID_TYPE),
    Column("purpose", Text),
    Column("kind", Text),
    Column("owner", Text),
    Column("filename", Text),
    Column("content_type", Text),
    Column("size_bytes", BigInteger),
    Column("sha256", Text),
    Column("status", Text),
    Column("reason", Text),
    Column("parts_id", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Column("sweep_at", DateTime(timezone=True)),
    Column("forget_at", DateTime(timezone=True)),
)

media_assets = Table(
    "media_assets",
    _metadata,
    Column("id", UUID_TYPE, primary_key=True),
    Column("org_id", UUID_TYPE),
    Column("purpose", Text),
    Column("kind", Text),
    Column("owner", Text),
    Column("filename", Text),
    Column("object_key", Text),
    Column("content_type", Text),
    Column("size_bytes", BigInteger),
    Column("sha256", Text),
    Column("duration_seconds", Double),
    Column("width", Integer),
    Column("height", Integer),
    Column("pages", Integer),
    Column("created_at", DateTime(timezone=True)),
)
