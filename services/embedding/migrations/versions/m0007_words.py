"""Searches for words know whose chunks they are about, and rank no more of them than can be ranked in time."""

from __future__ import annotations

from alembic import op

from libs.database.schema import CURRENT_ORGS

revision = "0007"
down_revision = "0006"

_AS_OWNER = (
    "language sql stable security definer "
    "set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_custom_plan rows 100"
)
_FORMER = f"""
create function chunks_with_words(wanted tsquery, types text[])
returns table (id uuid, document_id uuid, score double precision)
{_AS_OWNER} as $$
    select id, document_id, ts_rank_cd(words, wanted, 1) from public.chunks
    where words @@ wanted
    and (org_id is null or org_id = any({CURRENT_ORGS})) and (types is null or source_type = any(types))
$$
"""  # noqa: S608 - of constants
# The organisation by itself, besides those of the transaction: of a parameter the planner knows how many chunks it has,
# and goes by those where they are few and by the words where they are many.
_CURRENT = f"""
create function chunks_with_words(wanted tsquery, types text[], org uuid, most integer)
returns table (id uuid, document_id uuid, score double precision)
{_AS_OWNER} as $$
    select id, document_id, ts_rank_cd(words, wanted, 1) from (
        select id, document_id, words from public.chunks
        where words @@ wanted and (org_id is null or org_id = org)
        and (org_id is null or org = any({CURRENT_ORGS})) and (types is null or source_type = any(types))
        limit most
    ) as matching
$$
"""  # noqa: S608 - of constants


def upgrade() -> None:
    """Replace the function."""
    op.execute("drop function chunks_with_words(tsquery, text[])")
    op.execute(_CURRENT)


def downgrade() -> None:
    """Bring the former one back."""
    op.execute("drop function chunks_with_words(tsquery, text[], uuid, integer)")
    op.execute(_FORMER)
