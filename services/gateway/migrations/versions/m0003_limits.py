"""Rate limits and requests in flight, shared by all replicas."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

# Unlogged: what a crash of the server forgets is at most a minute's worth of counting, and no write waits for the disk.
# Ids are those of keys and of organisations. The application role has the one function and sees neither table.
_TABLES = (
    "create unlogged table rate_buckets (id uuid primary key, arrival bigint not null) with (fillfactor = 50)",
    """
    create unlogged table request_slots (
        organization uuid not null,
        replica uuid not null,
        slots integer not null check (slots > 0),
        valid_until timestamptz not null,
        primary key (organization, replica)
    )
    """,
)


def _closed(table: str) -> tuple[str, ...]:
    return (
        f"alter table {table} enable row level security",
        f"create policy {table}_function on {table} to current_user using (true)",
    )


# What domain/limits.py calls `grant`, behind a lock on the bucket and by this server's clock; `returned` cells were
# taken and not used. Then, for an organisation, `slots_needed` and some of `slots_more` for this replica, as far as
# what other replicas hold leaves room. Buckets are locked in the order of their ids, so that nobody waits in a circle.
_TAKE = """
create function take_shares(
    of_replica uuid, ids uuid[], intervals bigint[], capacities bigint[], returned bigint[], needed bigint[],
    more bigint[], slot_limits integer[], slots_needed integer[], slots_more integer[], slot_seconds double precision
)
returns table (id uuid, cells bigint, available bigint, wait bigint, slots integer, others integer)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    asked record;
    until bigint;
    moment timestamptz;
    present bigint;
    room integer;
begin
    for asked in
        select * from unnest(
            ids, intervals, capacities, returned, needed, more, slot_limits, slots_needed, slots_more
        ) as a (id, gap, capacity, returned, needed, more, slot_limit, slots_needed, slots_more)
        order by a.id
    loop
        loop
            select b.arrival into until from public.rate_buckets b where b.id = asked.id for update;
            exit when found;
            insert into public.rate_buckets values (asked.id, 0) on conflict do nothing;
        end loop;
        moment := clock_timestamp();
        present := (extract(epoch from moment) * 1000000000)::bigint;
        until := least(
            greatest(until - asked.returned * asked.gap, present), present + asked.capacity * asked.gap
        );
        available := (present + asked.capacity * asked.gap - until) / asked.gap;
        cells := least(asked.needed, available);
        cells := cells + greatest(0, least(asked.more, (available - cells) / 4));
        until := until + cells * asked.gap;
        available := available - cells;
        wait := case when available > 0 then 0
            else greatest(0, until + asked.gap - asked.capacity * asked.gap - present) end;
        update public.rate_buckets b set arrival = until where b.id = asked.id;
        slots := 0;
        others := 0;
        if asked.slot_limit > 0 then
            select coalesce(sum(s.slots), 0) into others from public.request_slots s
                where s.organization = asked.id and s.replica <> of_replica and s.valid_until > moment;
            room := greatest(0, asked.slot_limit - others);
            slots := least(room, asked.slots_needed);
            slots := slots + least(asked.slots_more, (room - slots) / 4);
            if slots > 0 then
                insert into public.request_slots
                    values (asked.id, of_replica, take_shares.slots, moment + make_interval(secs => slot_seconds))
                    on conflict (organization, replica)
                    do update set slots = excluded.slots, valid_until = excluded.valid_until;
            else
                delete from public.request_slots s where s.organization = asked.id and s.replica = of_replica;
            end if;
        end if;
        id := asked.id;
        return next;
    end loop;
end
$$
"""

_FORGET = """
create function forget_shares() returns void
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
    delete from public.rate_buckets where id in (
        select id from public.rate_buckets
        where arrival < (extract(epoch from clock_timestamp()) * 1000000000)::bigint for update skip locked
    );
    delete from public.request_slots where valid_until < clock_timestamp();
$$
"""

_TAKE_ARGUMENTS = (
    "uuid, uuid[], bigint[], bigint[], bigint[], bigint[], bigint[], integer[], integer[], integer[], double precision"
)


def upgrade() -> None:
    """Make the tables and the functions that alone touch them."""
    for statement in (*_TABLES, *_closed("rate_buckets"), *_closed("request_slots"), _TAKE, _FORGET):
        op.execute(statement)
    op.execute(f"revoke all on function take_shares({_TAKE_ARGUMENTS}) from public")
    op.execute("revoke all on function forget_shares() from public")


def downgrade() -> None:
    """Forget the counting."""
    op.execute("drop function forget_shares()")
    op.execute(f"drop function take_shares({_TAKE_ARGUMENTS})")
    op.execute("drop table request_slots")
    op.execute("drop table rate_buckets")
