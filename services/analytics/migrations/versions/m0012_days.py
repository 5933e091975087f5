"""Days can be compared with the ledger one by one, from the first month of which the ledger is still there."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

# A month without use has no entry, and is there all the same: so have its sums to be nothing.
_FIRST_MONTH = """
create function usage_first_month() returns date
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select least(
        (select date_trunc('month', min(created_at) at time zone 'UTC')::date from public.usage_metrics),
        (select min(to_date(right(relname, 6), 'YYYYMM')) from pg_inherits join pg_class on pg_class.oid = inhrelid
            where inhparent = 'public.usage_metrics'::regclass and relname ~ '^usage_metrics_[0-9]{6}$'))
$$
"""
_DIFFERENCES = """
create function usage_day_differences(since date)
returns table (org_id uuid, day date, unit text, kept numeric, counted numeric)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    with ledger as (
        select m.org_id, (m.created_at at time zone 'UTC')::date as day, m.unit, sum(m.quantity) as quantity,
            count(*)::numeric as entries
        from public.usage_metrics m where m.created_at >= since::timestamp at time zone 'UTC' group by 1, 2, 3
    ), counted as (
        select l.org_id, l.day, l.unit, l.quantity from ledger l
        union all
        select l.org_id, l.day, 'requests', l.entries from ledger l where l.unit = 'characters'
    ), kept as (
        select d.org_id, d.day, u.unit, u.quantity from public.usage_daily d, lateral (values
            ('characters', d.characters), ('audio_seconds', d.audio_seconds),
            ('characters_cached', d.characters_cached), ('requests', d.generations)) as u (unit, quantity)
        where d.day >= since
    )
    select org_id, day, unit, kept.quantity, counted.quantity
    from kept full join counted using (org_id, day, unit)
    where coalesce(kept.quantity, 0) <> coalesce(counted.quantity, 0)
$$
"""
_FUNCTIONS = ("usage_first_month()", "usage_day_differences(date)")


def upgrade() -> None:
    """Create the functions, which the owner runs over all organisations."""
    for statement in (_FIRST_MONTH, _DIFFERENCES):
        op.execute(statement)
    for function in _FUNCTIONS:
        op.execute(f"revoke all on function {function} from public")


def downgrade() -> None:
    """Remove them."""
    for function in _FUNCTIONS:
        op.execute(f"drop function {function}")
