from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.dialects.postgresql import UUID as PgUuid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_metadata = MetaData()
UUID_TYPE = PgUuid(as_uuid=True)


def vector_text(vector: NDArray[np.float32]) -> str:
    """Return a vector as pgvector reads it."""
    return orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY).decode()


documents = Table(
    "documents",
    _metadata,
    Column("id", UUID_TYPE, primary_key=True),
    Column("org_id", UUID_TYPE),
    Column("source_type", Text),
    Column("source_id", Text),
    Column("title", Text),
    Column("status", Text),
    Column("content_hash", Text),
    Column("revision", BigInteger),
    Column("metadata", JSONB),
    Column("error", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)

document_texts = Table(
    "document_texts",
    _metadata,
    Column("document_id", UUID_TYPE, primary_key=True),
    Column("org_id", UUID_TYPE),
    Column("text", Text),
    Column("content", LargeBinary),
)

chunks = Table(
    "chunks",
    _metadata,
    Column("id", UUID_TYPE, primary_key=True),
    Column("document_id", UUID_TYPE),
    Column("org_id", UUID_TYPE),
    Column("source_type", Text),
    Column("idx", Integer),
    Column("content", Text),
    Column("content_hash", Text),
    Column("metadata", JSONB),
    Column("words", TSVECTOR),
    Column("created_at", DateTime(timezone=True)),
)
