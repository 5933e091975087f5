"""Documents, the chunks that they are found by, and the model that made the chunks' vectors."""

from __future__ import annotations

from alembic import op

from libs.database.schema import CURRENT_ORGS, TOUCH_FUNCTION, isolate_with_shared, touch_trigger
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

# What row-level security makes slow. PostgreSQL then looks at no index for @@, which might leak what it is compared
# with, so that each search for words would read all chunks of the organisation (85,000 of them in 235 ms; by the index
# in 1 to 10 ms); and it counts chunks a tenth as fast. These functions run as the owner and keep to the transaction's
# organisations by themselves; they are all that the owner's policy is for.
_OWN = f"org_id = any({CURRENT_ORGS}) and (types is null or source_type = any(types))"
_AS_OWNER = (
    "language sql stable security definer "
    "set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_custom_plan"
)
_FUNCTIONS = (
    "create policy chunks_owner on chunks for select to current_user using (true)",
    # Chunks of the organisations, everybody's not counted, up to so many.
    f"""
    create function count_chunks(most integer, types text[]) returns bigint {_AS_OWNER} as $$
        select count(*) from (select from public.chunks where {_OWN} limit most) as counted
    $$
    """,  # noqa: S608 - of constants
    # 1: divided by 1 + the logarithm of the length.
    f"""
    create function chunks_with_words(wanted tsquery, types text[])
    returns table (id uuid, document_id uuid, score double precision)
    {_AS_OWNER} rows 100 as $$
        select id, document_id, ts_rank_cd(words, wanted, 1) from public.chunks
        where words @@ wanted
        and (org_id is null or org_id = any({CURRENT_ORGS})) and (types is null or source_type = any(types))
    $$
    """,  # noqa: S608 - of constants
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
        *_FUNCTIONS,
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    """Remove everything."""
    for statement in (
        "drop function chunks_with_words(tsquery, text[])",
        "drop function count_chunks(integer, text[])",
        "drop table index_model",
        "drop table chunks",
        "drop table documents",
        "drop function touch_updated_at()",
        *outbox_schema.DROP_SCHEMA,
        *inbox.DROP_SCHEMA,
    ):
        op.execute(statement)
