"""Months of the ledger that are older than anybody wants go, and sums can be compared with what is left."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

_DROP = """
create function usage_drop(oldest date) returns setof text
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    partition text;
begin
    perform pg_advisory_xact_lock(hashtext('usage_maintain'));
    for partition in
        select relname from pg_inherits join pg_class on pg_class.oid = inhrelid
        where inhparent = 'public.usage_metrics'::regclass and relname ~ '^usage_metrics_[0-9]{6}$'
            and to_date(right(relname, 6), 'YYYYMM') < oldest
        order by relname
    loop
        execute format('drop table public.%I', partition);
        return next partition;
    end loop;
    delete from public.usage_metrics_default where created_at < oldest::timestamp at time zone 'UTC';
end
$$
"""
# Months that were dropped have nothing that their sums could be compared with.
_DIFFERENCES = """
create function usage_quarter_differences(since date)
returns table (org_id uuid, begins_at timestamptz, unit text, kept numeric, counted numeric)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    with first as (
        select greatest(since::timestamp at time zone 'UTC', (
            select date_trunc('month', min(created_at), 'UTC') from public.usage_metrics)) as moment
    ), ledger as (
        select m.org_id, date_bin('15 minutes', m.created_at, '2000-01-01Z') as begins_at,
            m.voice_id, m.key_id, m.user_id, m.format, m.unit, sum(m.quantity) as quantity, count(*) as entries
        from public.usage_metrics m, first where m.created_at >= first.moment group by 1, 2, 3, 4, 5, 6, 7
    ), counted as (
        select l.org_id, l.begins_at, l.voice_id, l.key_id, l.user_id, l.format, l.unit, l.quantity from ledger l
        union all
        select l.org_id, l.begins_at, l.voice_id, l.key_id, l.user_id, l.format, 'generations', l.entries from ledger l
        where l.unit = 'characters'
    ), kept as (
        select q.org_id, q.begins_at, q.voice_id, q.key_id, q.user_id, q.format, u.unit, u.quantity
        from public.usage_quarters q, first, lateral (values ('characters', q.characters),
            ('audio_seconds', q.audio_seconds), ('characters_cached', q.characters_cached),
            ('generations', q.generations)) as u (unit, quantity)
        where q.begins_at >= first.moment
    ), together as (
        select k.*, true as is_kept from kept k union all select c.*, false from counted c
    )
    select t.org_id, t.begins_at, t.unit, coalesce(sum(t.quantity) filter (where is_kept), 0),
        coalesce(sum(t.quantity) filter (where not is_kept), 0)
    from together t
    group by t.org_id, t.begins_at, t.voice_id, t.key_id, t.user_id, t.format, t.unit
    having coalesce(sum(t.quantity) filter (where is_kept), 0)
        <> coalesce(sum(t.quantity) filter (where not is_kept), 0)
$$
"""
_FUNCTIONS = ("usage_drop(date)", "usage_quarter_differences(date)")


def upgrade() -> None:
    """Create the functions, which the owner runs over all organisations."""
    # Of the ledger the owner sees all already.
    op.execute("create policy usage_quarters_owner on usage_quarters for select to current_user using (true)")
    for statement in (_DROP, _DIFFERENCES):
        op.execute(statement)
    for function in _FUNCTIONS:
        op.execute(f"revoke all on function {function} from public")


def downgrade() -> None:
    """Remove them."""
    for function in _FUNCTIONS:
        op.execute(f"drop function {function}")
    op.execute("drop policy usage_quarters_owner on usage_quarters")
