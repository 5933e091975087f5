"""What plans cover beside characters: what there is of each thing, thresholds told once, subscriptions that change."""

from __future__ import annotations

from alembic import op

from libs.database.schema import confine, isolate, see_all

revision = "0007"
down_revision = "0006"

_TABLES = (
    # What an organisation has, by the thing it has: told again, in another order, it is the same.
    """
    create table holdings (
        unit text not null,
        id uuid not null,
        org_id uuid not null,
        quantity bigint not null check (quantity >= 0),
        revision bigint not null,
        primary key (unit, id)
    )
    """,
    "create index holdings_org on holdings (org_id)",
    """
    create table levels (
        org_id uuid not null,
        unit text not null,
        quantity bigint not null,
        primary key (org_id, unit)
    )
    """,
    """
    create table quota_thresholds (
        org_id uuid not null,
        period date not null,
        unit text not null,
        percent integer not null,
        reached_at timestamptz not null,
        primary key (org_id, period, unit, percent)
    )
    """,
    # What the plans cover by the settings of the newest process: projections have no settings.
    """
    create table plan_limits (
        plan text primary key,
        limits jsonb not null
    )
    """,
    "alter table reservations add column unit text not null default 'characters'",
    "create index reservations_expiry on reservations (expires_at) where status = 'held'",
    "alter table subscriptions add column next_plan text check (next_plan in ('free', 'pro', 'enterprise'))",
    "alter table subscriptions add column changes_at timestamptz",
    "alter table subscriptions add column revision bigint not null default 1",
    "alter table subscriptions add check ((next_plan is null) = (changes_at is null))",
    "create index subscriptions_ending on subscriptions (end_date) where status <> 'expired'",
    "create index subscriptions_changing on subscriptions (changes_at) where changes_at is not null",
)
_ISOLATED = ("holdings", "levels", "quota_thresholds")
_SEEN_BY_OWNER = ("reservations", "subscriptions", "usage_metrics", "usage_totals", "usage_daily", "holdings", "levels")

# Nobody asks for these in the name of an organisation: the owner's functions look, and say no more than they have to.
_LOOKING = (
    """
    create function subscriptions_due(moment timestamptz, most integer) returns table (org_id uuid)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select s.org_id from public.subscriptions s
        where (s.status <> 'expired' and s.end_date <= moment) or s.changes_at <= moment
        limit most
    $$
    """,
    """
    create function reservations_due(moment timestamptz, most integer) returns table (id uuid, org_id uuid)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select r.id, r.org_id from public.reservations r
        where r.status = 'held' and r.expires_at <= moment
        order by r.expires_at limit most
    $$
    """,
    # Months whose part of the ledger was dropped have nothing to be compared with.
    """
    create function usage_differences(since date)
    returns table (what text, org_id uuid, period date, unit text, kept numeric, counted numeric)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        with first as (
            select greatest(since, (select date_trunc('month', min(created_at) at time zone 'UTC')::date
                from public.usage_metrics)) as month
        ), ledger as (
            select m.org_id, date_trunc('month', m.created_at at time zone 'UTC')::date as period, m.unit,
                sum(m.quantity) as quantity, count(*)::numeric as entries
            from public.usage_metrics m, first
            where m.created_at >= first.month::timestamp at time zone 'UTC'
            group by 1, 2, 3
        ), counted as (
            select l.org_id, l.period, l.unit, l.quantity from ledger l
            union all
            select l.org_id, l.period, 'requests', l.entries from ledger l where l.unit = 'characters'
        ), totals as (
            select t.org_id, t.period, t.unit, t.quantity from public.usage_totals t, first
            where t.period >= first.month
        ), days as (
            select d.org_id, date_trunc('month', d.day::timestamp)::date as period, sum(d.characters) as characters,
                sum(d.audio_seconds) as audio_seconds, sum(d.characters_cached) as characters_cached,
                sum(d.generations) as requests
            from public.usage_daily d, first where d.day >= first.month group by 1, 2
        ), by_unit as (
            select days.org_id, days.period, u.unit, u.quantity from days, lateral (values
                ('characters', characters), ('audio_seconds', audio_seconds),
                ('characters_cached', characters_cached), ('requests', requests)) as u (unit, quantity)
            where u.quantity <> 0
        )
        select 'totals', org_id, period, unit, totals.quantity, counted.quantity
        from totals full join counted using (org_id, period, unit)
        where coalesce(totals.quantity, 0) <> coalesce(counted.quantity, 0)
        union all
        select 'days', org_id, period, unit, by_unit.quantity, counted.quantity
        from by_unit full join counted using (org_id, period, unit)
        where coalesce(by_unit.quantity, 0) <> coalesce(counted.quantity, 0)
        union all
        select 'reservations', r.org_id, null, 'requests', 1, null
        from public.reservations r, first
        where r.status = 'settled' and r.unit = 'characters'
            and r.updated_at >= (first.month + interval '1 month')::timestamp at time zone 'UTC'
            and not exists (select from public.usage_metrics m where m.resource_id = r.id and m.unit = 'characters')
        union all
        select 'levels', org_id, null, unit, levels.quantity, held.quantity
        from public.levels full join (
            select h.org_id, h.unit, sum(h.quantity) as quantity from public.holdings h group by 1, 2
        ) as held using (org_id, unit)
        where coalesce(levels.quantity, 0) <> coalesce(held.quantity, 0)
    $$
    """,
)
_FUNCTIONS = (
    "subscriptions_due(timestamptz, integer)",
    "reservations_due(timestamptz, integer)",
    "usage_differences(date)",
)


# What was completed counts as requests from the beginning.
_COUNT_REQUESTS = """
insert into usage_totals (org_id, period, unit, quantity)
select org_id, date_trunc('month', day::timestamp)::date, 'requests', sum(generations) from usage_daily group by 1, 2
"""


def upgrade() -> None:
    """Create everything."""
    isolation = [statement for table in _ISOLATED for statement in isolate(table)]
    seen = [
        f"create policy {table}_owner on {table} for select to current_user using (true)" for table in _SEEN_BY_OWNER
    ]
    counting = (*see_all("usage_totals", "usage_daily"), _COUNT_REQUESTS, *confine("usage_totals", "usage_daily"))
    for statement in (*_TABLES, *isolation, *seen, *_LOOKING, *counting):
        op.execute(statement)
    for function in _FUNCTIONS:
        op.execute(f"revoke all on function {function} from public")


def downgrade() -> None:
    """Remove everything."""
    for function in _FUNCTIONS:
        op.execute(f"drop function {function}")
    for table in _SEEN_BY_OWNER:
        op.execute(f"drop policy {table}_owner on {table}")
    for statement in (
        *see_all("usage_totals"),
        "delete from usage_totals where unit = 'requests'",
        *confine("usage_totals"),
        "alter table subscriptions drop column revision, drop column changes_at, drop column next_plan",
        "drop index subscriptions_ending",
        "drop index reservations_expiry",
        "alter table reservations drop column unit",
        *(f"drop table {table}" for table in (*_ISOLATED, "plan_limits")),
    ):
        op.execute(statement)
