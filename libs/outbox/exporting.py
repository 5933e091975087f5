"""Writing down all that a service has of one organisation, or of one of its people: a file with a row a line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from google.protobuf.message import Message

from libs.contracts.antiphon.gateway.v1.events_pb2 import ExportRequested
from libs.database import Database
from libs.messaging import Delivery, Work, inbox, work
from libs.objectstore import ObjectStore, Stored
from libs.outbox.exported import Exported, ExportedFile, rows_of
from libs.outbox.exported_files import Tally, list_files
from libs.outbox.outbox import add

__all__ = ["Exported", "ExportedFile", "Exporting", "export_key", "exports", "files_key"]

CONTENT_TYPE = "application/x-ndjson"


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


def files_key(org_id: UUID, export_id: UUID, service: str) -> str:
    """Return where the list of the files lies that a service's part takes along."""
    return f"exports/orgs/{org_id}/{export_id}/{service}.files"


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
        tally, listed = Tally(), files_key(org_id, UUID(event.export_id), service)
        # Of nobody in particular: which person an object is of, no service knows.
        if event.include_audio and user_id is None and any(table.file for table in tables):
            await deps.objects.put_parts(listed, list_files(deps.database, tables, org_id, tally), CONTENT_TYPE)
        await _tell(deps, delivery, consumer, told, counts=counts, key=key, stored=stored, listed=listed, tally=tally)

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
    listed: str = "",
    tally: Tally | None = None,
    error: str = "",
) -> None:
    """Tell, once, what was written, or why nothing was."""
    event = delivery.event
    files = tally or Tally()
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
                files_key=listed if files.files else "",
                files=files.files,
                files_bytes=files.bytes,
                files_left_out=files.left_out,
                files_left_out_bytes=files.left_out_bytes,
            )
            add(session, answer)


async def _lines(
    database: Database, tables: Sequence[Exported], org_id: UUID, user_id: UUID | None, counts: dict[str, int]
) -> AsyncIterator[bytes]:
    """Yield the rows of `tables` as lines of JSON, a page at a time, and count them."""
    for table in tables:
        async for page in rows_of(database, table, org_id, user_id):
            yield b"".join(_line(table.table, row["line"]) for row in page)
            counts[table.table] += len(page)


def _line(table: str, row: str) -> bytes:
    return f'{{"table": "{table}", "row": {row}}}\n'.encode()
