"""Writing down all that a service has of one organisation, or of one of its people: a file with a row a line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from google.protobuf.message import Message

from libs.contracts.antiphon.gateway.v1.events_pb2 import ExportRequested
from libs.database import Database, driver_of
from libs.messaging import Delivery, Work, inbox, work
from libs.objectstore import ObjectStore, Stored
from libs.outbox.outbox import add

CONTENT_TYPE = "application/x-ndjson"
ROWS_AT_ONCE = 500
"""In memory, and in one short transaction; fewer where one row may hold a book."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A table whose rows are told to whom they belong, and how.

    `order` are the columns that say which row comes next: unique together, best those of an index that begins with
    `org_id`. All columns are told but the organisation's id and those in `without`; `also` are columns to be told
    besides, SQL expressions over `t`, by name. `owned` is a condition that finds the rows of the organisation $1,
    `person` one that finds among them those of the user $2: None where rows do not know whom they are about.
    """

    table: str
    order: tuple[str, ...] = ("id",)
    without: tuple[str, ...] = ()
    also: Mapping[str, str] = field(default_factory=dict)
    owned: str = "t.org_id = $1"
    person: str | None = None
    rows_at_once: int = ROWS_AT_ONCE


class Exporting(Protocol):
    """What an export needs of a service's dependencies."""

    @property
    def database(self) -> Database:
        """Where the rows are."""
        ...

    @property
    def objects(self) -> ObjectStore:
        """Where the file goes."""
        ...

    @property
    def clock(self) -> Callable[[], datetime]:
        """What time it is."""
        ...


def export_key(org_id: UUID, export_id: UUID, service: str) -> str:
    """Return where a service's part of an export lies: under a prefix of the organisation, which an erasure empties."""
    return f"exports/orgs/{org_id}/{export_id}/{service}.ndjson"


def exports(service: str, told: Callable[..., Message], tables: Sequence[Exported]) -> Work:
    """Declare that `service` answers ExportRequested with `told`, its own DataExported, having written `tables`."""
    consumer = f"{service}-export_data"

    async def give_up(delivery: Delivery[ExportRequested], deps: Exporting, reason: str) -> None:
        # Only the kind of error: its message may repeat what is in the rows.
        await _tell(deps, delivery, consumer, told, error=reason.partition(":")[0])

    @work(ExportRequested, concurrency=1, outstanding=8, exhausted=give_up)
    async def export_data(delivery: Delivery[ExportRequested], deps: Exporting) -> None:
        """Somebody wants to have all that there is of them."""
        event = delivery.event
        org_id = UUID(event.org_id)
        async with deps.database.transaction(org_id) as session:
            if await inbox.is_known(session, consumer, UUID(delivery.event_id)):
                return
        user_id = UUID(event.user_id) if event.user_id else None
        wanted = [table for table in tables if user_id is None or table.person is not None]
        if not wanted:
            await _tell(deps, delivery, consumer, told)
            return
        counts = {table.table: 0 for table in wanted}
        key = export_key(org_id, UUID(event.export_id), service)
        lines = _lines(deps.database, wanted, org_id, user_id, counts)
        stored = await deps.objects.put_parts(key, lines, CONTENT_TYPE)
        await _tell(deps, delivery, consumer, told, counts=counts, key=key, stored=stored)

    return export_data


async def _tell(
    deps: Exporting,
    delivery: Delivery[ExportRequested],
    consumer: str,
    told: Callable[..., Message],
    *,
    counts: Mapping[str, int] | None = None,
    key: str = "",
    stored: Stored | None = None,
    error: str = "",
) -> None:
    """Tell, once, what was written, or why nothing was."""
    event = delivery.event
    async with deps.database.transaction(UUID(event.org_id)) as session:
        if await inbox.is_new(session, consumer, delivery.event_id):
            answer = told(
                org_id=event.org_id,
                export_id=event.export_id,
                counts=counts or {},
                object_key=key,
                sha256=stored.sha256 if stored else "",
                size_bytes=stored.size if stored else 0,
                error=error,
                tries=delivery.tries,
                exported_at=deps.clock(),
            )
            add(session, answer)


async def _lines(
    database: Database, tables: Sequence[Exported], org_id: UUID, user_id: UUID | None, counts: dict[str, int]
) -> AsyncIterator[bytes]:
    """Yield the rows of `tables` as lines of JSON, a page at a time, and count them.

    Each page is a transaction of its own: what changes meanwhile is told as it was when its page was read.
    """
    for table in tables:
        after: Sequence[object] = ()
        while True:
            async with database.transaction(org_id) as session:
                driver = driver_of(session)
                columns = await _columns(driver, table)
                given = (org_id,) if user_id is None else (org_id, user_id)
                query = _page(table, columns, len(given), bool(after), by_person=user_id is not None)
                rows = await driver.fetch(query, *given, *after)
            if rows:
                yield b"".join(_line(table.table, row["line"]) for row in rows)
                counts[table.table] += len(rows)
                after = [rows[-1][f"k{number}"] for number in range(len(table.order))]
            if len(rows) < table.rows_at_once:
                break


def _line(table: str, row: str) -> bytes:
    return f'{{"table": "{table}", "row": {row}}}\n'.encode()


async def _columns(driver: asyncpg.Connection[Any], table: Exported) -> list[str]:  # Any: a row of any columns
    """Return the columns that are told, quoted, in their order."""
    rows = await driver.fetch(
        "select attname, quote_ident(attname) as quoted from pg_attribute "
        "where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum",
        table.table,
    )
    return [row["quoted"] for row in rows if row["attname"] not in ("org_id", *table.without)]


def _page(table: Exported, columns: Sequence[str], given: int, is_later: bool, *, by_person: bool) -> str:
    """Return the query of a page: names come from the service's own tables and the catalogue, values are parameters."""
    shown = [f"t.{name}" for name in columns] + [f"({what}) as {name}" for name, what in table.also.items()]
    keys = [f"t.{name}" for name in table.order]
    where = [table.owned]
    if by_person and table.person is not None:
        where.append(f"({table.person})")
    if is_later:
        places = ", ".join(f"${given + number + 1}" for number in range(len(keys)))
        where.append(f"({', '.join(keys)}) > ({places})")
    named = ", ".join(f"{key} as k{number}" for number, key in enumerate(keys))
    return (
        f"select {named}, (select row_to_json(shown) from (select {', '.join(shown)}) as shown)::text as line "  # noqa: S608 - of names
        f"from {table.table} as t where {' and '.join(where)} order by {', '.join(keys)} limit {table.rows_at_once}"
    )
