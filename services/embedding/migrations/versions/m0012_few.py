"""Searches among few chunks are one statement, planned once: one round trip where they took seven."""

from __future__ import annotations

from alembic import op

from services.embedding.migrations.versions.m0011_any_word import CLOSENESS, IN_SCOPE, READ, READ_DECLARED, WEIGHT

revision = "0012"
down_revision = "0011"

_ARGUMENTS = """
    org uuid, types text[], sources text[], said jsonb, since timestamptz, before timestamptz,
    which integer, near text,
    asked text, words text[], weights double precision[], phrases text[], without text[],
    depth integer, closely integer, by_chunk boolean
"""
_TYPES = (
    "uuid, text[], text[], jsonb, timestamptz, timestamptz, integer, text, "
    "text, text[], double precision[], text[], text[], integer, integer, boolean"
)
_ONCE = "case when by_chunk then id else document_id end"
# It opens itself for the organisation, as a transaction would be, and runs as who calls it: row-level security holds.
# All of the organisation's chunks are read and compared, so that whoever else there is makes no difference to the plan.
_FUNCTION = f"""
create function search_few({_ARGUMENTS})
returns table (
    id uuid, document_id uuid, near_score double precision, word_score double precision, similarity double precision,
    source_type text, source_id text, title text, content text, metadata jsonb, complete boolean, is_there boolean
)
language plpgsql rows 100
set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare {READ_DECLARED}
    vector halfvec := near::halfvec;
    one text;
begin {READ}
    perform set_config('app.orgs', org::text, true);
    return query
    with compared as materialized (
        select vectors.id, vectors.document_id, 1 - (vectors.embedding <=> vector) as similarity from vectors
        where vector is not null and vectors.index_id = which and {IN_SCOPE.replace("chunks.", "vectors.")}
    ), nearest as materialized (
        select * from (select distinct on ({_ONCE}) * from compared order by {_ONCE}, similarity desc, id) once
        order by similarity desc, document_id, id limit depth
    ), own as materialized (
        -- Unpacked once: || copies.
        select chunks.id, chunks.document_id, chunks.words || ''::tsvector as words from chunks
        where asked is not null and {IN_SCOPE}
    ), scored as materialized (
        select found.id, found.document_id, found.words, found.words @@ every as has_all,
            0.98 * ({WEIGHT}) / total + 0.1 * ts_rank(found.words, any_of) as score
        from own as found where found.words @@ matching or found.words @@ every
    ), close as (
        select id, document_id, {CLOSENESS} as score from (
            select *, row_number() over (order by has_all desc, score desc, id) as place from scored
            order by place limit closely
        ) best
    ), worded as materialized (
        select * from (select distinct on ({_ONCE}) * from close order by {_ONCE}, score desc, id) once
        order by score desc, document_id, id limit depth
    ), best as (
        select coalesce(nearest.id, worded.id) as id, nearest.similarity as near_score, worded.score as word_score
        from nearest full join worded on worded.id = nearest.id
    )
    select best.id, found.document_id, best.near_score, best.word_score, compared.similarity,
        documents.source_type, documents.source_id, documents.title, found.content, found.metadata,
        (select count(*) from scored) <= closely, exists (select from vector_indexes where vector_indexes.id = which)
    from best join chunks as found on found.id = best.id join documents on documents.id = found.document_id
    left join compared on compared.id = best.id;
end $$
"""  # noqa: S608 - of constants


def upgrade() -> None:
    """Add the function."""
    op.execute(_FUNCTION)


def downgrade() -> None:
    """Remove it."""
    op.execute(f"drop function search_few({_TYPES})")
