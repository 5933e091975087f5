"""Events of anonymous visitors, the salt of the day that tells them apart, and what became of them in numbers."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

_TABLES = (
    # Nobody's: no organisation, no user, no address, and no more of the time than its hour. The ids are random, for
    # those that count would say what came after what.
    """
    create table analytics_events (
        id uuid primary key default gen_random_uuid(),
        hour timestamptz not null check (hour = date_trunc('hour', hour, 'UTC')),
        name text not null,
        visitor bytea not null check (length(visitor) = 16),
        properties jsonb not null default '{}'
    )
    """,
    "create index analytics_events_hour on analytics_events (hour, name)",
    # Unlogged: neither the log of changes nor a backup ever has a salt.
    "create unlogged table analytics_salts (day date primary key, salt bytea not null)",
    """
    create table funnel_snapshots (
        day date primary key,
        visited bigint not null,
        signed_up bigint not null,
        voice_created bigint not null,
        generated bigint not null,
        returned bigint not null,
        taken_at timestamptz not null
    )
    """,
)
_FUNCTIONS_SQL = (
    # The file in which the salt lay goes with it, as it would not if the row were deleted.
    """
    create function analytics_forget_salts(today date) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        if not exists (select from public.analytics_salts where day < today) then
            return false;
        end if;
        perform pg_advisory_xact_lock(hashtext('analytics_salts'));
        if exists (select from public.analytics_salts where day < today)
            and not exists (select from public.analytics_salts where day >= today)
        then
            truncate public.analytics_salts;
        end if;
        return true;
    end
    $$
    """,
    # The salt never leaves the database: whoever asks learns the hash alone.
    """
    create function analytics_visitor(today date, token bytea) returns bytea
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    declare
        found bytea;
    begin
        select salt into found from public.analytics_salts where day >= today order by day desc limit 1;
        if found is null then
            perform public.analytics_forget_salts(today);
            perform pg_advisory_xact_lock(hashtext('analytics_salts'));
            insert into public.analytics_salts
            select today, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
            where not exists (select from public.analytics_salts where day >= today);
            select salt into found from public.analytics_salts where day >= today order by day desc limit 1;
        end if;
        return substring(sha256(found || sha256(token)) from 1 for 16);
    end
    $$
    """,
    # An id begins with the moment at which it was made; one that does not is of nobody who signed up.
    """
    create function funnel_counts(wanted date) returns table (
        visited bigint, signed_up bigint, voice_created bigint, generated bigint, returned bigint)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        with days as (
            select (array_agg(day order by day))[1] as first, (array_agg(day order by day))[2] as second
            from public.usage_daily where generations > 0 and day <= wanted group by org_id
        ), voices as (
            select min((uuid_extract_timestamp(id) at time zone 'UTC')::date) as first
            from public.holdings where unit = 'custom_voices' group by org_id
        )
        select
            (select count(distinct visitor) from public.analytics_events where name = 'visited'
                and hour >= wanted::timestamp at time zone 'UTC' and hour < (wanted + 1)::timestamp at time zone 'UTC'),
            (select count(*) from public.subscriptions
                where (uuid_extract_timestamp(org_id) at time zone 'UTC')::date = wanted),
            (select count(*) from voices where first = wanted),
            (select count(*) from days where first = wanted),
            (select count(*) from days where second = wanted)
    $$
    """,
)
_FUNCTIONS = ("funnel_counts(date)", "analytics_visitor(date, bytea)", "analytics_forget_salts(date)")


def upgrade() -> None:
    """Create everything; of the salts the application may not even read one."""
    for statement in (*_TABLES, *_FUNCTIONS_SQL):
        op.execute(statement)
    op.execute(
        """
        do $$
        declare
            grantee text;
        begin
            for grantee in select distinct g.grantee from information_schema.role_table_grants g
                where table_name = 'analytics_salts' and g.grantee <> current_user
            loop
                execute format('revoke all on analytics_salts from %I', grantee);
            end loop;
        end
        $$
        """
    )
    for function in _FUNCTIONS:
        op.execute(f"revoke all on function {function} from public")


def downgrade() -> None:
    """Remove everything."""
    for function in _FUNCTIONS:
        op.execute(f"drop function {function}")
    for table in ("funnel_snapshots", "analytics_salts", "analytics_events"):
        op.execute(f"drop table {table}")
