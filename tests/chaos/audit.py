"""The books after a run, by SQL and S3 alone: everything ended, everything there once, nothing lost or out of order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import asyncpg
from minio import Minio

from deploy.backup.audit import OUT_OF_ORDER
from libs.objectstore import ObjectMissing, ObjectStore, ObjectStoreAddress
from libs.speech.kept import NotKept, unpack
from tests.chaos.books import (
    SERVICES,
    all_sent,
    billing_agrees,
    database,
    newest_events,
    nothing_is_queued,
    once_each,
    streams_hold_what_was_sent,
    sums_agree,
)
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack

_BAD_ALIGNMENTS = """
select track.generation_id from audio_tracks track left join audio_alignments alignment on alignment.track_id = track.id
where alignment.id is null or array_to_string(alignment.characters, '') <> track.text
    or cardinality(alignment.start_times) <> cardinality(alignment.characters)
    or alignment.duration_seconds <> track.duration_seconds
"""
_UNPLACED = "select count(*) from outbox_sent where stream_seq is null or stream_created is null"


_PIECES = {
    "renditions without an end": "select count(*) from renditions where status in ('pending', 'rendered')",
    "renditions that no generation has": """
        select count(*) from renditions r
        where not exists (select from generations g where g.rendition_id = r.id)
    """,
    "completed renditions with pieces missing": """
        select count(*) from renditions where status = 'completed' and chunks_done <> chunks_total
    """,
    "pieces of speech that no text has": """
        select count(*) from speech_cache s
        where not exists (select from generation_chunks c where (c.org_id, c.cache_key) = (s.org_id, s.cache_key))
    """,
    "pieces of completed texts that nobody has spoken": """
        select count(*) from generation_chunks c join renditions r on r.id = c.rendition_id
            join speech_cache s on (s.org_id, s.cache_key) = (c.org_id, c.cache_key)
        where r.status = 'completed' and s.object_key is null
    """,
}
_KEPT_PIECES = "select object_key from speech_cache where object_key is not null"


@dataclass
class Findings:
    """What an audit found; `problems` is empty when all is well."""

    completed: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    events: int = 0
    dead_letters: int = 0
    stray_objects: int = 0
    """Those that nothing referred to until they were swept."""
    problems: list[str] = field(default_factory=list)


async def audit(stack: Stack, accepted: set[str], deleted: set[str], *, within: float) -> Findings:
    """Wait, `within` seconds for each thing, until the system is at rest; then look at everything."""
    found = Findings()
    kept = sorted(accepted - deleted)
    async with database(stack, "generation") as connection:

        async def all_ended() -> bool:
            return not await connection.fetchval(
                "select exists (select from generations where status not in ('completed', 'failed'))"
            )

        await eventually(all_ended, within=within, what="the end of every generation")
        rows = await connection.fetch("select id::text, status, error_code from generations")
    await nothing_is_queued(stack, within=within)
    status = {row["id"]: row["status"] for row in rows}
    for generation_id in kept:
        if generation_id not in status:
            found.problems.append(f"an accepted generation is gone: {generation_id}")
    for row in rows:
        if row["id"] not in accepted:
            found.problems.append(f"a generation that nobody was told of: {row['id']}")
        if row["id"] in deleted:
            found.problems.append(f"a deleted generation is there: {row['id']}")
        if row["status"] == "failed":
            reason = row["error_code"] or "no reason"
            found.failed[reason] = found.failed.get(reason, 0) + 1
    if "no reason" in found.failed:
        found.problems.append("a generation failed without a reason")
    completed = [one for one in kept if status.get(one) == "completed"]
    found.completed = len(completed)
    await all_sent(stack, await newest_events(stack), within=within)
    await streams_hold_what_was_sent(stack, within=within)
    await once_each(stack, completed, within=within)
    await sums_agree(stack)
    async with Api(stack.url, stack.api_key) as api:
        found.problems.extend(await billing_agrees(stack, api))
    await _events(stack, found)
    await _pieces(stack, found)
    await _objects(stack, found, deleted, within=within)
    return found


async def _pieces(stack: Stack, found: Findings) -> None:
    """Look at what texts are spoken in: all of it is there, and none of it is kept for nobody."""
    async with database(stack, "generation") as connection:
        for problem, query in _PIECES.items():
            if count := await connection.fetchval(query):
                found.problems.append(f"{count} {problem}")
        keys = [row["object_key"] for row in await connection.fetch(_KEPT_PIECES)]
    objects = ObjectStore(object_store_address(stack))
    try:
        for key in keys:
            try:
                unpack(await objects.get(key))
            except (ObjectMissing, NotKept):
                found.problems.append(f"a piece of speech is not there, or is none: {key}")
    finally:
        await objects.close()


async def _events(stack: Stack, found: Findings) -> None:
    for service in SERVICES:
        async with database(stack, service) as connection:
            found.events += await connection.fetchval("select count(*) from outbox_sent")
            for row in await connection.fetch(OUT_OF_ORDER):
                found.problems.append(f"{service}: event {row['seq']} of {row['aggregate']} is out of order")
            if count := await connection.fetchval(_UNPLACED):
                found.problems.append(f"{service}: {count} events were sent to nobody knows where")
            numbers = await connection.fetch("select event_id from outbox_sent group by event_id having count(*) > 1")
            if numbers:
                found.problems.append(f"{service}: {len(numbers)} events lie in the archive more than once")


async def _objects(stack: Stack, found: Findings, deleted: Iterable[str], *, within: float) -> None:
    async with database(stack, "generation") as connection:
        # Audio that others share stays, under the id of the first who asked for it.
        shared = {row["id"] for row in await connection.fetch("select id::text from renditions")}
        pieces = {row["object_key"] for row in await connection.fetch(_KEPT_PIECES)}
    gone = [generation_id for generation_id in deleted if generation_id not in shared]
    async with database(stack, "storage") as connection:
        if bad := await connection.fetch(_BAD_ALIGNMENTS):
            found.problems.append(f"{len(bad)} tracks without an alignment that fits them")

        async def none_left(connection: asyncpg.Connection[asyncpg.Record] = connection) -> bool:
            return not await connection.fetchval(
                "select exists (select from audio_tracks where generation_id = any($1::uuid[]))", gone
            )

        await eventually(none_left, within=within, what="no track of what was deleted")
        tracks = await connection.fetch("select object_key, alignment_key, sha256, size_bytes from audio_tracks")
    objects = ObjectStore(object_store_address(stack))
    try:
        for track in tracks:
            if await objects.digest(track["object_key"]) != (track["sha256"], track["size_bytes"]):
                found.problems.append(f"an object is not what its row says: {track['object_key']}")
        keys = {track[name] for track in tracks for name in ("object_key", "alignment_key")} | pieces
        found.stray_objects = len(await asyncio.to_thread(_keys, stack) - keys)
        # The system is at rest: nothing that was uploaded is still to be written down.
        await asyncio.to_thread(stack.run, "storage", "sweep", "--older-than", "0")

        async def all_swept() -> bool:
            return await asyncio.to_thread(_keys, stack) <= keys

        await eventually(all_swept, within=within, what="no object that nothing refers to")
    finally:
        await objects.close()


def _keys(stack: Stack) -> set[str]:
    address = object_store_address(stack)
    host = address.endpoint.removeprefix("http://")
    client = Minio(host, address.access_key, address.secret_key, secure=False, region=address.region)
    found = client.list_objects(address.bucket, prefix="generations/", recursive=True)
    return {str(one.object_name) for one in found}


def object_store_address(stack: Stack) -> ObjectStoreAddress:
    """Where the object store of a stack is itself, past what lies before it."""

    def secret(name: str) -> str:
        return (stack.home / "secrets" / name).read_text().strip()

    port = stack.record["processes"]["s3"]["port"]
    return ObjectStoreAddress(
        f"http://127.0.0.1:{port}", "us-east-1", "antiphon", secret("s3_access_key"), secret("s3_secret_key")
    )
