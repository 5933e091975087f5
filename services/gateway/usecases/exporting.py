"""Somebody takes along all that there is of their organisation, or of one of its people."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.archive.zip_stream import Entry, stream_zip
from libs.contracts.antiphon.gateway.v1.events_pb2 import ExportCompleted, ExportFailed, ExportRequested
from libs.database import is_database_away
from libs.ids import new_id
from libs.objectstore import ObjectMissing, ObjectStore, ObjectStoreUnavailable
from libs.outbox.exported_files import read_files
from libs.outbox.exporting import Exported, export_key, files_key
from services.gateway.domain.access import Credential, Scope
from services.gateway.domain.exports import (
    ALONE,
    KEPT,
    SERVICES,
    Export,
    ExportExpired,
    ExportNotFound,
    ExportRunning,
    Part,
)
from services.gateway.domain.members import MemberNotFound
from services.gateway.store import exports as store
from services.gateway.store.members import get_member
from services.gateway.usecases.acting import acting
from services.gateway.usecases.audit import record
from services.gateway.usecases.deps import Deps

logger = logging.getLogger(__name__)

EXPIRE_SECONDS = 600.0
EXPIRE_AT_ONCE = 100

EXPORTED = (
    Exported("organizations", owned="t.id = $1"),
    Exported(
        "users",
        owned="t.id in (select user_id from memberships where org_id = $1)",
        person="t.id = $2",
    ),
    Exported("memberships", order=("user_id",), person="t.user_id = $2"),
    Exported("api_keys", without=("hash",), person="t.user_id = $2"),
    Exported(
        "invitations", without=("hash",), person="lower(t.email) = (select lower(email) from users where id = $2)"
    ),
    Exported("audit_log", order=("seq",), person="t.user_id = $2 or t.details ->> 'user_id' = $2::text"),
    Exported("webhooks", without=("secret", "previous_secret")),
    Exported("webhook_deliveries", without=("body",), also={"body": "convert_from(t.body, 'UTF8')::json"}),
)
"""What the gateway has of organisations and people, without what opens doors."""
NOT_EXPORTED = {
    "audit_heads": "seals the audit log, whose entries say the same",
    "erased_organizations": "there is nobody left who could ask",
    "erasures": "there is nobody left who could ask",
    "erasure_reports": "there is nobody left who could ask",
    "export_parts": "tells of the export itself, as GET /v1/exports/{id} does",
    "exports": "tells of the export itself, as GET /v1/exports/{id} does",
    "idempotency_records": "sealed answers, kept for a day, of what the other rows say",
    "key_changes": "gone after minutes; replicas learn from it which keys to forget",
    "webhook_queue": "when webhook_deliveries are to be tried again",
}
"""Tables with rows of organisations that are left out, and why."""


async def begin_export(deps: Deps, caller: Credential, user_id: UUID | None, *, include_audio: bool = False) -> UUID:
    """Ask every service for what it has of the caller's organisation, or of a member of it; return the export's id.

    `include_audio`: for the files, too, that belong to what is the organisation's. Raises MemberNotFound and
    ExportRunning.
    """
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.DATA_EXPORT, now)).credential
        if user_id is not None and await get_member(session, actor.org_id, user_id) is None:
            raise MemberNotFound
        newest = await store.find_newest(session, actor.org_id, user_id, now - ALONE)
        if newest is not None and newest.status(now) == "running":
            raise ExportRunning(newest.id)
        export = Export(new_id(), user_id, now, now + KEPT, include_audio=include_audio)
        await store.insert_export(session, actor.org_id, export)
        asked = ExportRequested(
            org_id=str(actor.org_id), export_id=str(export.id), requested_at=now, include_audio=include_audio
        )
        if user_id is not None:
            asked.user_id = str(user_id)
        outbox.add(session, asked)
        action, about = ("member.exported", {"user_id": str(user_id)}) if user_id else ("organization.exported", {})
        await record(session, actor, action, now, {"export_id": str(export.id), **about})
        return export.id


async def collect_part(session: AsyncSession, org_id: UUID, export_id: UUID, part: Part, cause: Message | None) -> None:
    """Keep what a service says; once all have answered, tell so."""
    if not await store.lock_export(session, export_id):
        return
    if not await store.insert_part(session, org_id, export_id, part):
        return
    export = await store.get_export(session, export_id)
    if export is None or export.waits_for:
        return
    outbox.add(session, _outcome(org_id, export, part.exported_at), cause=cause)


def _outcome(org_id: UUID, export: Export, now: datetime) -> ExportCompleted | ExportFailed:
    org, export_id, user = str(org_id), str(export.id), str(export.user_id) if export.user_id else ""
    if not export.failed:
        return ExportCompleted(
            org_id=org, export_id=export_id, user_id=user, completed_at=now, expires_at=export.expires_at
        )
    return ExportFailed(
        org_id=org,
        export_id=export_id,
        user_id=user,
        services=export.failed,
        failed_at=now,
        expires_at=export.expires_at,
    )


async def get_export(deps: Deps, caller: Credential, export_id: UUID) -> Export:
    """Return an export with all that is said of it. Raises ExportNotFound."""
    async with deps.database.transaction(caller.org_id) as session:
        export = await store.get_export(session, export_id)
    if export is None:
        raise ExportNotFound
    return export


async def delete_export(deps: Deps, caller: Credential, export_id: UUID) -> None:
    """Let an export be gone; its files follow soon. Raises ExportNotFound."""
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.DATA_EXPORT, now)).credential
        if not await store.delete_export(session, export_id, now):
            raise ExportNotFound
        await record(session, actor, "export.deleted", now, {"export_id": str(export_id)})


async def open_archive(deps: Deps, caller: Credential, export_id: UUID, report: bytes) -> AsyncIterator[bytes]:
    """Return the bytes of a ZIP: `report`, and the file of each service that wrote one.

    Raises ExportNotFound, ExportNotReady, ExportExpired, ObjectStoreUnavailable; nothing is sent then.
    """
    now = deps.clock()
    async with deps.database.transaction(caller.org_id) as session:
        actor = (await acting(session, caller, Scope.DATA_EXPORT, now)).credential
        export = await store.get_export(session, export_id)
        if export is None:
            raise ExportNotFound
        parts = export.files(now)
        await record(session, actor, "export.downloaded", now, {"export_id": str(export_id)})
    keys = [key for part in parts for key in (part.object_key, part.files.list_key) if key is not None]
    if not all(await asyncio.gather(*map(deps.objects.exists, keys))):
        raise ExportExpired
    return stream_zip(entries(deps.objects, now, report, parts))


async def entries(objects: ObjectStore, now: datetime, report: bytes, parts: Sequence[Part]) -> AsyncIterator[Entry]:
    """Yield the archive's files: `report`, the rows of each part, and then the files of each. Raises as `open`."""
    yield Entry("report.json", now, len(report), _whole(report))
    for part in parts:
        async with objects.open(part.object_key or "", {}) as reader:
            yield Entry(f"{part.service}.ndjson", part.exported_at, part.size_bytes, reader.chunks)
    gone: list[str] = []
    for part in parts:
        if part.files.list_key is not None:
            async for entry in _files(objects, part.files.list_key, part.exported_at, gone):
                yield entry
    if gone:
        # Whoever counts the files finds fewer than the report says.
        names = "".join(f"{name}\n" for name in gone).encode()
        yield Entry("deleted-meanwhile.txt", now, len(names), _whole(names))


async def _files(objects: ObjectStore, list_key: str, moment: datetime, gone: list[str]) -> AsyncIterator[Entry]:
    """Yield the files that a part takes along; the names of those that are not there any more go into `gone`."""
    # One list is a few megabytes. It is read first, so that no connection waits while files are sent.
    listed = await objects.get(list_key)
    async for file in read_files(_whole(listed)):
        try:
            async with objects.open(file.key, {}) as reader:
                yield Entry(file.name, moment, int(reader.headers["content-length"]), reader.chunks)
        except ObjectMissing:
            gone.append(file.name)


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def expire_exports(deps: Deps) -> None:
    """Remove the files of what has expired, until cancelled."""
    while True:
        try:
            more = await expire_some(deps)
        except Exception as error:
            if not (is_database_away(error) or isinstance(error, ObjectStoreUnavailable)):
                raise
            logger.warning("expired exports wait", extra={"error": type(error).__name__})
            more = False
        if not more:
            await asyncio.sleep(EXPIRE_SECONDS)


async def expire_some(deps: Deps) -> bool:
    """Remove the files of some exports that have expired; say whether there may be more."""
    now = deps.clock()
    async with deps.database.transaction() as session:
        expired = await store.list_expired(session, now, EXPIRE_AT_ONCE)
    for export_id, org_id in expired:
        for service in sorted(SERVICES):
            await deps.objects.delete(export_key(org_id, export_id, service))
            await deps.objects.delete(files_key(org_id, export_id, service))
        async with deps.database.transaction(org_id) as session:
            await store.save_removed(session, export_id, now)
    return len(expired) == EXPIRE_AT_ONCE
