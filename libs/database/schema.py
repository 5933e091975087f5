"""What every service's migrations share: tenant isolation and `updated_at`, as SQL statements."""

from __future__ import annotations

from collections.abc import Iterable

from alembic import op

CURRENT_ORGS = "(select string_to_array(nullif(current_setting('app.orgs', true), ''), ','))::uuid[]"
"""The organisations of the current transaction: a constant for the planner, null when there are none."""

TOUCH_FUNCTION = """
create function touch_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at = now();
    return new;
end
$$
"""


def execute_all(statements: Iterable[str]) -> None:
    """Execute SQL statements in the migration that runs, in their order."""
    for statement in statements:
        op.execute(statement)


def touch_trigger(table: str) -> str:
    """Return the statement that keeps `updated_at` of `table`; needs TOUCH_FUNCTION."""
    return (
        f"create trigger {table}_touch before update on {table} "
        "for each row when (old.* is distinct from new.*) execute function touch_updated_at()"
    )


def isolate(table: str) -> list[str]:
    """Return the statements that confine `table` to the transaction's organisations, owner included."""
    own = f"org_id = any({CURRENT_ORGS})"
    return [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy {table}_tenant on {table} using ({own}) with check ({own})",
    ]


def see_all(*tables: str) -> list[str]:
    """Return the statements after which the owner sees every row of isolated `tables`; `confine` belongs behind them.

    A migration that changes or copies rows needs both: confined, it finds none, and says nothing.
    """
    return [f"alter table {table} no force row level security" for table in tables]


def confine(*tables: str) -> list[str]:
    """Return the statements that end what `see_all` began."""
    return [f"alter table {table} force row level security" for table in tables]


def isolate_with_shared(table: str) -> list[str]:
    """Like `isolate`, for tables whose rows with a null `org_id` everybody may read.

    Such rows are written only in a transaction opened for SYSTEM_ORG.
    """
    writes = (
        f"(org_id = any({CURRENT_ORGS}) or (org_id is null and "
        f"'00000000-0000-0000-0000-000000000000'::uuid = any({CURRENT_ORGS})))"
    )
    reads = f"(org_id is null or org_id = any({CURRENT_ORGS}))"
    return [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy {table}_read on {table} for select using {reads}",
        f"create policy {table}_insert on {table} for insert with check {writes}",
        f"create policy {table}_update on {table} for update using {writes} with check {writes}",
        f"create policy {table}_delete on {table} for delete using {writes}",
    ]
