"""Chunks in a narrowed scope are found by their indexes, which row-level security keeps the planner from."""

from __future__ import annotations

from alembic import op

from libs.database.schema import CURRENT_ORGS

revision = "0005"
down_revision = "0004"

_UP = (
    # What a search may narrow by: when chunks were made.
    "create index chunks_made on chunks (org_id, created_at)",
    # As count_chunks: it runs as the owner and keeps to the transaction's organisations by itself.
    f"""
    create function matching_chunks(
        most integer, types text[], sources text[], said jsonb, since timestamptz, before timestamptz
    )
    returns setof uuid language sql stable security definer
    set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_custom_plan
    rows 1000 as $$
        select id from public.chunks
        where (org_id is null or org_id = any({CURRENT_ORGS}))
        and (types is null or source_type = any(types))
        and (sources is null or document_id in (
            select documents.id from public.documents where documents.source_id = any(sources)))
        and (said is null or metadata @> said)
        and (since is null or created_at >= since)
        and (before is null or created_at < before)
        limit most
    $$
    """,  # noqa: S608 - of constants
)
_DOWN = (
    "drop function matching_chunks(integer, text[], text[], jsonb, timestamptz, timestamptz)",
    "drop index chunks_made",
)


def upgrade() -> None:
    """Add function and index."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    for statement in _DOWN:
        op.execute(statement)
