"""Copying objects into a backup, and back into an empty store."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import urllib3
from minio.error import S3Error

from deploy.backup.contents import Contents, Kept, read_chunks
from deploy.backup.manifest import Damaged
from deploy.embedded.errors import StackError
from libs.objectstore import ObjectMissing, ObjectStore, ObjectStoreAddress
from libs.objectstore.requests import minio_client

_T = TypeVar("_T")

AT_ONCE = 8
_ROUNDING = timedelta(seconds=2)
"""A listing tells whole seconds."""
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Listed:
    """An object in a store's list."""

    key: str
    etag: str
    made_at: datetime


@dataclass
class Copied:
    """What was copied."""

    objects: int = 0
    bytes: int = 0


async def copy_new(
    store: ObjectStore, address: ObjectStoreAddress, contents: Contents, show: Callable[[str], None]
) -> Copied:
    """Copy what a store has and the backup has not, and note what is gone. Raises ObjectStoreUnavailable."""
    looked = datetime.now(UTC)
    listed = await asyncio.to_thread(list_objects, address)
    known = contents.present()
    fresh = [one for one in listed if known.get(one.key) != one.etag]
    copied = Copied()
    async for _ in _each(fresh, lambda one: copy_one(store, contents, one, copied)):
        show(f"copying objects: {copied.objects:,} of {len(fresh):,}, {copied.bytes / 1e6:,.1f} MB")
    keys = {one.key for one in listed}
    contents.mark_gone([key for key in known if key not in keys], datetime.now(UTC), made_before=looked - _ROUNDING)
    return copied


async def copy_one(store: ObjectStore, contents: Contents, listed: Listed, copied: Copied) -> None:
    """Copy one object. One that is gone by now is left out. Raises ObjectStoreUnavailable, Damaged."""
    try:
        async with store.open(listed.key, {}) as reader:
            # The tag of what is read, which may be newer than the list.
            etag = reader.headers.get("etag", "").strip('"')
            sha256, md5, size = await contents.write(reader.chunks)
            if _MD5.fullmatch(etag) and md5 != etag:
                raise Damaged(f"the object {listed.key} came with other content than its tag says")
            kind = reader.headers.get("content-type", "application/octet-stream")
            contents.add(Kept(listed.key, etag, sha256, size, kind, listed.made_at))
    except ObjectMissing:
        return
    copied.objects += 1
    copied.bytes += size


async def put_back(store: ObjectStore, contents: Contents, moment: datetime, show: Callable[[str], None]) -> Copied:
    """Write every object of a moment into an empty store. Raises Damaged when a content is not what it was."""
    wanted = contents.at(moment)
    copied = Copied()

    async def put(kept: Kept) -> None:
        try:
            stored = await store.put_parts(kept.key, read_chunks(contents.file(kept.sha256)), kept.type)
        except FileNotFoundError:
            raise Damaged(f"the content of {kept.key} is gone from the backups") from None
        if stored.sha256 != kept.sha256:
            raise Damaged(f"the content of {kept.key} has changed in the backups")
        copied.objects += 1
        copied.bytes += stored.size

    async for _ in _each(wanted, put):
        show(f"restoring objects: {copied.objects:,} of {len(wanted):,}, {copied.bytes / 1e6:,.1f} MB")
    return copied


def list_objects(address: ObjectStoreAddress) -> list[Listed]:
    """List a bucket. Raises StackError when it cannot be read."""
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=30), retries=urllib3.Retry(3))
    client = minio_client(address, address.endpoint, pool)
    try:
        found = client.list_objects(address.bucket, recursive=True)
        return [
            Listed(one.object_name, (one.etag or "").strip('"'), one.last_modified)
            for one in found
            if one.object_name is not None and one.last_modified is not None and not one.is_dir
        ]
    except (S3Error, urllib3.exceptions.HTTPError) as error:
        raise StackError(f"The objects cannot be listed ({type(error).__name__}). See: antiphon status") from None
    finally:
        pool.clear()


async def _each(things: Iterable[_T], act: Callable[[_T], Awaitable[None]]) -> AsyncIterator[None]:
    """Do something with each, a few at a time; yields whenever some are done. Raises the first error, alone."""
    waiting = iter(things)
    running: set[asyncio.Task[None]] = set()

    async def one(thing: _T) -> None:
        await act(thing)

    try:
        while True:
            running |= {asyncio.create_task(one(thing)) for thing in itertools.islice(waiting, AT_ONCE - len(running))}
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
