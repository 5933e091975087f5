"""Vectors leave the chunks for indexes of their own, one a model: it can be changed while search goes on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from libs.database.schema import confine, isolate_with_shared, see_all

revision = "0009"
down_revision = "0008"

_AS_OWNER = "security definer set search_path = pg_catalog, public, pg_temp"

# Each index is a partition: its vectors have one length, which is what HNSW needs and a check holds them to, and all of
# it goes at once. A search reads it through the table, and so under the table's row-level security. What a search asks
# of chunks is repeated here, so that it needs no join: a chunk is never changed, and comparing reads a third of the
# bytes.
_TABLES = (
    """
    create table vector_indexes (
        id integer primary key generated always as identity,
        model_id text not null,
        dimensions integer not null check (dimensions between 1 and 4000),
        is_active boolean not null default false,
        is_wanted boolean not null default false,
        was_active boolean not null default false,
        error text,
        idle_since timestamptz,
        created_at timestamptz not null default now(),
        unique (model_id, dimensions)
    )
    """,
    "create unique index vector_indexes_active on vector_indexes (is_active) where is_active",
    "create unique index vector_indexes_wanted on vector_indexes (is_wanted) where is_wanted",
    """
    create table vectors (
        id uuid not null,
        index_id integer not null,
        document_id uuid not null,
        org_id uuid,
        source_type text not null,
        metadata jsonb not null,
        created_at timestamptz not null,
        embedding halfvec not null,
        primary key (id, index_id)
    ) partition by list (index_id)
    """,
    "create index vectors_scope on vectors (org_id, source_type)",
    *isolate_with_shared("vectors"),
    # What counts and looks for gaps runs as the owner.
    "create policy vectors_owner on vectors for select to current_user using (true)",
    # Known texts are looked up by their hashes.
    "create index chunks_content on chunks (content_hash, org_id)",
)

# No foreign key: it would be checked for every vector, and hold the chunks' table while an index is made or dropped.
_CASCADE = (
    """
    create function delete_vectors() returns trigger language plpgsql as $$
    begin
        delete from vectors where id in (select gone.id from gone);
        return null;
    end
    $$
    """,
    """
    create trigger chunks_vectors after delete on chunks referencing old table as gone
    for each statement execute function delete_vectors()
    """,
)

_FUNCTIONS = (
    # The service may not change the schema; it may do this.
    """
    create function open_vector_index(model text, size integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp as $$
    declare
        made integer;
        partition text;
    begin
        lock table vector_indexes in share row exclusive mode;
        select id into made from vector_indexes where model_id = model and dimensions = size;
        if made is not null then
            return made;
        end if;
        insert into vector_indexes (model_id, dimensions) values (model, size) returning id into made;
        partition := 'vectors_' || made;
        execute format('create table %I (like vectors including defaults)', partition);
        execute format('alter table %I add check (index_id = %s), add check (vector_dims(embedding) = %s)',
            partition, made, size);
        -- Nobody reads it but through the table.
        execute format('alter table %I enable row level security', partition);
        execute format('alter table %I force row level security', partition);
        execute format('create index %I on %I using hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops)',
            partition || '_nearest', partition, size);
        execute format('alter table vectors attach partition %I for values in (%s)', partition, made);
        return made;
    end
    $$
    """,
    f"""
    create function drop_vector_index(which integer) returns boolean
    language plpgsql {_AS_OWNER} as $$
    begin
        delete from vector_indexes where id = which and not is_active and not is_wanted;
        if not found then
            return false;
        end if;
        execute format('drop table %I', 'vectors_' || which);
        return true;
    end
    $$
    """,  # noqa: S608 - of constants
    # The next chunks without a vector, and whose they are: what they say is read as their organisation.
    f"""
    create function chunks_without_vector(which integer, after uuid, most integer)
    returns table (id uuid, org_id uuid) language sql stable {_AS_OWNER}
    set plan_cache_mode = force_custom_plan as $$
        select chunks.id, chunks.org_id from public.chunks
        where chunks.id > after
        and not exists (select from public.vectors where vectors.id = chunks.id and vectors.index_id = which)
        order by chunks.id limit most
    $$
    """,  # noqa: S608 - of constants
    f"""
    create function count_vectors() returns table (index_id integer, vectors bigint, chunks bigint)
    language sql stable {_AS_OWNER} as $$
        select vector_indexes.id,
            (select count(*) from public.vectors where vectors.index_id = vector_indexes.id),
            (select count(*) from public.chunks)
        from public.vector_indexes
    $$
    """,  # noqa: S608 - of constants
)


def upgrade() -> None:
    """Move the vectors into an index of the model that made them."""
    for statement in (*_TABLES, *_CASCADE, *_FUNCTIONS):
        op.execute(statement)
    model = op.get_bind().execute(sa.text("select model_id from index_model")).scalar()
    for statement in see_all("chunks", "vectors"):
        op.execute(statement)
    if model is None:
        op.execute("delete from chunks")
    else:
        opened = sa.text("select open_vector_index(:model, 384)").bindparams(model=model)
        index = op.get_bind().execute(opened).scalar_one()
        op.execute("update vector_indexes set is_active = true, is_wanted = true, was_active = true")
        op.execute(
            "insert into vectors (id, index_id, document_id, org_id, source_type, metadata, created_at, embedding) "  # noqa: S608 - a number
            f"select id, {index:d}, document_id, org_id, source_type, metadata, created_at, embedding from chunks"
        )
    for statement in (
        *confine("chunks", "vectors"),
        "alter table chunks drop column embedding",
        "drop table index_model",
    ):
        op.execute(statement)


def downgrade() -> None:
    """Put the active index's vectors back to their chunks; the others are given up."""
    active = op.get_bind().execute(sa.text("select id, model_id, dimensions from vector_indexes where is_active"))
    index = active.one_or_none()
    if index is not None and index.dimensions != 384:
        raise RuntimeError(
            f"{index.model_id} has vectors of {index.dimensions} dimensions, the release before this one holds 384: "
            "change back to a model of 384 first"
        )
    op.execute("alter table chunks add column embedding halfvec(384)")
    op.execute(
        """
        create table index_model (
            id integer primary key default 1 check (id = 1),
            model_id text not null,
            created_at timestamptz not null default now()
        )
        """
    )
    for statement in see_all("chunks", "vectors"):
        op.execute(statement)
    if index is not None:
        op.execute(
            f"update chunks set embedding = vectors.embedding from vectors "  # noqa: S608 - a number
            f"where vectors.id = chunks.id and vectors.index_id = {index.id:d}"
        )
        op.execute(sa.text("insert into index_model (model_id) values (:model)").bindparams(model=index.model_id))
    op.execute("delete from chunks where embedding is null")
    for statement in (
        *confine("chunks", "vectors"),
        "alter table chunks alter column embedding set not null",
        "create index chunks_embedding on chunks using hnsw (embedding halfvec_cosine_ops)",
        "drop index chunks_content",
        "drop trigger chunks_vectors on chunks",
        "drop function delete_vectors()",
        "drop function count_vectors()",
        "drop function chunks_without_vector(integer, uuid, integer)",
        "drop function drop_vector_index(integer)",
        "drop function open_vector_index(text, integer)",
        "drop table vectors",
        "drop table vector_indexes",
    ):
        op.execute(statement)
