"""What of a service's tables is told to whom they belong, and reading it a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from libs.database import Database, driver_of

ROWS_AT_ONCE = 500
"""In memory, and in one short transaction; fewer where one row may hold a book."""
FILE = "file"
"""The column that says which of the archive's files belongs to a row."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """The file that belongs to each row of a table: SQL expressions over `t`.

    `name` is that of the file in the archive, `key` where the object is that it is made of, `size` its bytes. A row for
    which `key` is null has none.
    """

    name: str
    key: str = "t.object_key"
    size: str = "t.size_bytes"


@dataclass(frozen=True, slots=True)
class Exported:
    """A table whose rows are told to whom they belong, and how.

    `order` are the columns that say which row comes next: unique together, best those of an index that begins with
    `org_id`. All columns are told but the organisation's id and those in `without`; `also` are columns to be told
    besides, SQL expressions over `t`, by name. `owned` is a condition that finds the rows of the organisation $1,
    `person` one that finds among them those of the user $2: None where rows do not know whom they are about. `file` is
    taken along where that is wanted; its name is told in any case.
    """

    table: str
    order: tuple[str, ...] = ("id",)
    without: tuple[str, ...] = ()
    also: Mapping[str, str] = field(default_factory=dict)
    owned: str = "t.org_id = $1"
    person: str | None = None
    rows_at_once: int = ROWS_AT_ONCE
    file: ExportedFile | None = None


async def rows_of(
    database: Database, table: Exported, org_id: UUID, user_id: UUID | None
) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield pages of the table's rows, each row as a `line` of JSON.

    Each page is a transaction of its own: what changes meanwhile is told as it was when its page was read.
    """
    async with database.transaction(org_id) as session:
        columns = await _columns(driver_of(session), table)
    told = [f"t.{name}" for name in columns] + [f"({what}) as {name}" for name, what in table.also.items()]
    if table.file is not None:
        told.append(f"({table.file.name}) as {FILE}")
    line = f"(select row_to_json(shown) from (select {', '.join(told)}) as shown)::text as line"  # noqa: S608 - of names
    async for page in _pages(database, table, [line], "", org_id, user_id):
        yield page


async def files_of(
    database: Database, table: Exported, file: ExportedFile, org_id: UUID
) -> AsyncIterator[list[asyncpg.Record]]:
    """Yield pages of the files of the table's rows: `name`, `key` and `size`."""
    shown = [f"{file.name} as name", f"{file.key} as key", f"{file.size} as size"]
    async for page in _pages(database, table, shown, f"{file.key} is not null", org_id, None):
        yield page


async def _columns(driver: asyncpg.Connection[Any], table: Exported) -> list[str]:  # Any: a row of any columns
    """Return the columns that are told, quoted, in their order."""
    rows = await driver.fetch(
        "select attname, quote_ident(attname) as quoted from pg_attribute "
        "where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum",
        table.table,
    )
    return [row["quoted"] for row in rows if row["attname"] not in ("org_id", *table.without)]


async def _pages(
    database: Database, table: Exported, shown: Sequence[str], only: str, org_id: UUID, user_id: UUID | None
) -> AsyncIterator[list[asyncpg.Record]]:
    given = (org_id,) if user_id is None else (org_id, user_id)
    after: Sequence[object] = ()
    while True:
        query = _query(table, shown, only, len(given), bool(after))
        async with database.transaction(org_id) as session:
            rows = await driver_of(session).fetch(query, *given, *after)
        if rows:
            yield rows
            after = [rows[-1][f"k{number}"] for number in range(len(table.order))]
        if len(rows) < table.rows_at_once:
            return


def _query(table: Exported, shown: Sequence[str], only: str, given: int, is_later: bool) -> str:
    """Return the query of a page: names come from the service's own tables and the catalogue, values are parameters."""
    keys = [f"t.{name}" for name in table.order]
    where = [table.owned, *([only] if only else [])]
    if given > 1 and table.person is not None:
        where.append(f"({table.person})")
    if is_later:
        places = ", ".join(f"${given + number + 1}" for number in range(len(keys)))
        where.append(f"({', '.join(keys)}) > ({places})")
    selected = [f"{key} as k{number}" for number, key in enumerate(keys)] + list(shown)
    return (
        f"select {', '.join(selected)} from {table.table} as t "  # noqa: S608 - of names
        f"where {' and '.join(where)} order by {', '.join(keys)} limit {table.rows_at_once}"
    )
