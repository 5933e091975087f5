"""Documents, the chunks that they are found by, and the model that made the chunks' vectors."""

from __future__ import annotations

from alembic import op

from libs.database.schema import TOUCH_FUNCTION, isolate_with_shared, touch_trigger
from libs.messaging import inbox
from libs.outbox import schema as outbox_schema

revision = "0001"
down_revision = None

_TABLES = (
    # A removed document leaves its row, emptied, so that a late event cannot bring it back.
    """
    create table documents (
        id uuid primary key,
        org_id uuid,
        source_type text not null,
        source_id text not null,
        title text not null,
        status text not null check (status in ('indexed', 'removed')),
        content_hash text check (content_hash is null or content_hash ~ '^[0-9a-f]{64}$'),
        revision bigint not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        check (status = 'removed' or content_hash is not null),
        constraint documents_source unique nulls not distinct (source_type, source_id, org_id)
    )
    """,
    touch_trigger("documents"),
    # The same text is kept once a document, not once an organisation: two generations of one text are both found.
    # source_type repeats the document's, so that a search filters without a join.
    """
    create table chunks (
        id uuid primary key,
        document_id uuid not null references documents on delete cascade,
        org_id uuid,
        source_type text not null,
        idx integer not null check (idx >= 0),
        content text not null check (content <> ''),
        content_hash text not null check (content_hash ~ '^[0-9a-f]{64}$'),
        embedding halfvec(384) not null,
        metadata jsonb not null default '{}',
        words tsvector not null generated always as (to_tsvector('simple', content)) stored,
        created_at timestamptz not null default now(),
        unique (document_id, content_hash)
    )
    """,
    "create index chunks_scope on chunks (org_id, source_type)",
    "create index chunks_words on chunks using gin (words)",
    "create index chunks_embedding on chunks using hnsw (embedding halfvec_cosine_ops)",
    # One row: vectors of different models cannot be compared, so an index holds those of one.
    """
    create table index_model (
        id integer primary key default 1 check (id = 1),
        model_id text not null,
        created_at timestamptz not null default now()
    )
    """,
)


def upgrade() -> None:
    """Create everything."""
    statements = [
        *inbox.SCHEMA,
        *outbox_schema.SCHEMA,
        TOUCH_FUNCTION,
        *_TABLES,
        *isolate_with_shared("documents"),
        *isolate_with_shared("chunks"),
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    """Remove everything."""
    for statement in (
        "drop table index_model",
        "drop table chunks",
        "drop table documents",
        "drop function touch_updated_at()",
        *outbox_schema.DROP_SCHEMA,
        *inbox.DROP_SCHEMA,
    ):
        op.execute(statement)
