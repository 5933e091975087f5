"""Partitions that are reached through the ledger alone, made ahead of a day that is given; no use is written twice."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

# Without a policy of its own, a partition shows its rows to nobody but its owner; asked through the ledger it is the
# ledger's policy that counts.
_SEAL_PARTITIONS = """
do $$
declare
    partition regclass;
begin
    for partition in select relid from pg_partition_tree('usage_metrics') where isleaf loop
        execute format('alter table %s enable row level security', partition);
    end loop;
end
$$
"""

_UNSEAL_PARTITIONS = _SEAL_PARTITIONS.replace("enable row", "disable row")

# Rows that came before the partition of their month lie in the default one, where they would forbid it: they move.
_MAINTAIN = """
create function usage_maintain(today date, months_ahead integer) returns void
language plpgsql security definer set search_path = public as $$
declare
    month timestamp;
    begins timestamptz;
    ends timestamptz;
    partition text;
begin
    perform pg_advisory_xact_lock(hashtext('usage_maintain'));
    for month in
        select generate_series(
            date_trunc('month', today::timestamp),
            date_trunc('month', today::timestamp) + make_interval(months => months_ahead),
            interval '1 month')
    loop
        partition := 'usage_metrics_' || to_char(month, 'YYYYMM');
        continue when to_regclass(partition) is not null;
        begins := month at time zone 'UTC';
        ends := (month + interval '1 month') at time zone 'UTC';
        lock table usage_metrics_default in access exclusive mode;
        execute format('create table %I (like usage_metrics including defaults including constraints)', partition);
        execute format(
            'with early as (delete from usage_metrics_default where created_at >= $1 and created_at < $2 returning *) '
            'insert into %I select * from early', partition) using begins, ends;
        execute format('alter table usage_metrics attach partition %I for values from (%L) to (%L)',
            partition, begins, ends);
        execute format('alter table %I enable row level security', partition);
    end loop;
end
$$
"""

_MAINTAIN_BEFORE = """
create function usage_maintain(months_ahead integer) returns void
language plpgsql security definer set search_path = public as $$
declare
    month date;
begin
    for month in
        select d::date from generate_series(
            date_trunc('month', now() at time zone 'UTC'),
            date_trunc('month', now() at time zone 'UTC') + make_interval(months => months_ahead),
            interval '1 month') d
    loop
        if to_regclass('usage_metrics_' || to_char(month, 'YYYYMM')) is null then
            execute format('create table %I partition of usage_metrics for values from (%L) to (%L)',
                'usage_metrics_' || to_char(month, 'YYYYMM'),
                month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
        end if;
    end loop;
end
$$
"""


def upgrade() -> None:
    """Seal what there is and make what comes sealed."""
    for statement in (
        "drop function usage_maintain(integer)",
        _MAINTAIN,
        _SEAL_PARTITIONS,
        "drop index usage_metrics_resource",
        # The day belongs to every unique key of a partitioned table; settling a reservation once does the rest.
        "create unique index usage_metrics_once on usage_metrics (resource_id, unit, created_at)",
    ):
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    for statement in (
        "drop index usage_metrics_once",
        "create index usage_metrics_resource on usage_metrics (resource_id)",
        _UNSEAL_PARTITIONS,
        "drop function usage_maintain(date, integer)",
        _MAINTAIN_BEFORE,
    ):
        op.execute(statement)
