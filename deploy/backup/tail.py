"""Following an object store as it changes, so that what is made and deleted between two backups is kept, too."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.backup.contents import Contents
from deploy.backup.copying import Copied, Listed, copy_one
from deploy.backup.source import Source, end
from deploy.embedded.binaries import find_binary
from deploy.embedded.environment import BUCKET
from deploy.embedded.processes import dying_with_parent
from libs.objectstore import ObjectStore

_ROOT = f"/buckets/{BUCKET}/"
_LINE_BYTES = 16 * 2**20
_PARTS_OF_UPLOADS = ".uploads/"
"""Where the server keeps the parts of an upload until it is complete."""


@dataclass(frozen=True)
class Change:
    """An object was written, or is gone."""

    key: str
    moment: datetime
    is_gone: bool
    etag: str = ""


async def follow(source: Source, contents: Contents, since: datetime) -> None:
    """Copy every object as it is written and note each that goes, from a moment on. Ends when the server does.

    Raises ObjectStoreUnavailable when an object cannot be read.
    """
    async with source.objects() as store, _changes(source, since) as changes:
        async for change in changes:
            await _apply(store, contents, change)


async def _apply(store: ObjectStore, contents: Contents, change: Change) -> None:
    if change.is_gone:
        contents.mark_gone([change.key], change.moment, made_before=change.moment)
    elif not contents.has(change.key, change.etag):
        await copy_one(store, contents, Listed(change.key, change.etag, change.moment), Copied())


@asynccontextmanager
async def _changes(source: Source, since: datetime) -> AsyncIterator[AsyncIterator[Change]]:
    """Read the journal of the embedded stack's object store (SeaweedFS's filer) as it is written."""
    ago = max(1, int((datetime.now(UTC) - since).total_seconds()) + 1)
    process = await asyncio.create_subprocess_exec(
        str(find_binary("weed")),
        "filer.meta.tail",
        f"-filer=127.0.0.1:{source.port('s3_filer')}.{source.port('s3_filer_grpc')}",
        f"-pathPrefix={_ROOT}",
        f"-timeAgo={ago}s",
        env={"HOME": str(source.home.s3), "PATH": "/usr/bin:/bin"},
        cwd=source.home.s3,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_BYTES,
        preexec_fn=dying_with_parent(),
    )
    try:
        assert process.stdout is not None
        yield _parse(process.stdout)
    finally:
        await end(process)


async def _parse(lines: asyncio.StreamReader) -> AsyncIterator[Change]:
    """Each change is a JSON object over many lines, closed by a brace at the beginning of one."""
    text: list[bytes] = []
    async for line in lines:
        if line.rstrip() == b"{":
            text = []
        text.append(line)
        if line.rstrip() == b"}":
            for change in changes_of(json.loads(b"".join(text))):
                yield change


def changes_of(entry: dict[str, Any]) -> list[Change]:  # as the server wrote it
    """What an entry of the journal says about objects; nothing about directories and unfinished uploads."""
    moment = datetime.fromtimestamp(int(entry["tsNs"]) / 1e9, UTC)
    notification = entry["eventNotification"]
    before, after = notification.get("oldEntry"), notification.get("newEntry")
    directory = entry["directory"]
    found = []
    if after and not after.get("isDirectory"):
        folder = notification.get("newParentPath") or directory
        found.append(Change(_key(folder, after), moment, is_gone=False, etag=_etag(after)))
    if before and not before.get("isDirectory"):
        gone = Change(_key(directory, before), moment, is_gone=True)
        if not found or found[0].key != gone.key:  # else it was written anew
            found.append(gone)
    return [change for change in found if not change.key.startswith(_PARTS_OF_UPLOADS)]


def _key(folder: str, entry: dict[str, Any]) -> str:
    return f"{folder}/{entry['name']}".removeprefix(_ROOT)


def _etag(entry: dict[str, Any]) -> str:
    encoded = (entry.get("extended") or {}).get("Seaweed-X-Amz-ETag", "")
    return b64decode(encoded).decode().strip('"')
