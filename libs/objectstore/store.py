"""Objects in any S3: small, immutable files under keys that say whose they are.

Requests go by aiohttp on URLs that the minio client signs: three to four times the rate of the
client's own threads.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import logging
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree.ElementTree import ParseError

import aiohttp
import urllib3
from minio.error import MinioException, S3Error

from libs.objectstore.multipart import PartsRefused, PartsUploads
from libs.objectstore.objects import (
    STORED_TYPES,
    Digests,
    Listed,
    ObjectMissing,
    ObjectReader,
    ObjectStoreAddress,
    ObjectStoreUnavailable,
    Stored,
    digests,
)
from libs.objectstore.requests import CHUNK_BYTES, SignedRequests, minio_client

LARGE_BYTES = 512 * 1024
"""From here on hashing takes longer than a millisecond, and goes to a thread."""

PART_BYTES = 8 * 2**20
"""Of uploads in parts; S3 wants at least 5 MiB, and at most 10,000 of them."""

_TYPES = {stored: known for known, stored in STORED_TYPES.items()}

_MD5 = re.compile(r"[0-9a-f]{32}")

logger = logging.getLogger(__name__)


def _machine_time() -> datetime:
    return datetime.now(UTC)


_FAILURES = (MinioException, urllib3.exceptions.HTTPError, ParseError, ValueError)
"""What minio's client raises: of errors, of connections, and of answers that are not what they are said to be."""


class ObjectStore:
    """One bucket of an S3 server."""

    def __init__(self, address: ObjectStoreAddress, clock: Callable[[], datetime] = _machine_time) -> None:
        """Connects lazily; `close` when done. Requests are dated by `clock`: the store refuses what is too old."""
        self.endpoint = address.endpoint
        self._bucket = address.bucket
        self._region = address.region
        # Only for the bucket; held here so that its connections can be closed.
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=30), retries=False)
        self._minio = minio_client(address, address.endpoint, self._pool)
        self._requests = SignedRequests(address, self._minio, clock)
        self.uploads = PartsUploads(self._requests)
        """Of those that clients send themselves, and of what `put_parts` sends."""

    async def put(self, key: str, content: bytes, content_type: str) -> str:
        """Write an object and return the SHA-256 of its content in hexadecimal.

        The store checks the MD5 that goes along. Raises ObjectStoreUnavailable.
        """
        return (await self.put_checked(key, content, content_type)).sha256

    async def put_checked(self, key: str, content: bytes, content_type: str) -> Digests:
        """As `put`; returns the MD5, too, by which `is_unchanged` knows the content again."""
        large = len(content) > LARGE_BYTES
        found = await asyncio.to_thread(digests, content) if large else digests(content)
        await self._put(key, content, content_type, found.md5)
        return found

    async def _put(self, key: str, content: bytes, content_type: str, md5: str) -> None:
        headers = {
            "Content-Type": STORED_TYPES.get(content_type, content_type),
            "Content-MD5": b64encode(bytes.fromhex(md5)).decode(),
        }
        # What is small goes in one piece with the headers; what is large would hold everything else up meanwhile.
        data = io.BytesIO(content) if len(content) > LARGE_BYTES else content
        async with self._requests.send("PUT", key, data=data, headers=headers) as response:
            if response.status != 200:
                raise ObjectStoreUnavailable(f"writing an object was answered {response.status}")

    async def put_parts(self, key: str, parts: AsyncIterator[bytes], content_type: str) -> Stored:
        """Write an object while it is made.

        No more than PART_BYTES and one piece of `parts` are in memory; each piece is hashed as it comes. Nothing is
        visible before all of it is there, and nothing stays when `parts` fails. Raises ObjectStoreUnavailable.
        """
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        upload_id: str | None = None
        etags: dict[int, str] = {}
        waiting = bytearray()
        try:
            async for part in parts:
                sha256.update(part)
                size += len(part)
                waiting += part
                if size < PART_BYTES:
                    md5.update(part)
                while len(waiting) >= PART_BYTES:
                    if upload_id is None:
                        upload_id = await self.uploads.begin(key, content_type)
                    await self._put_part(key, upload_id, etags, bytes(waiting[:PART_BYTES]), content_type)
                    del waiting[:PART_BYTES]
            if upload_id is None:
                await self._put(key, bytes(waiting), content_type, md5.hexdigest())
            else:
                if waiting:
                    await self._put_part(key, upload_id, etags, bytes(waiting), content_type)
                await self._complete(key, upload_id, etags)
        except BaseException:
            if upload_id is not None:
                await asyncio.shield(self._abort(key, upload_id))
            raise
        return Stored(sha256.hexdigest(), md5.hexdigest() if upload_id is None else "", size)

    async def _put_part(
        self, key: str, upload_id: str, etags: dict[int, str], content: bytes, content_type: str
    ) -> None:
        number = len(etags) + 1
        etags[number] = await self.uploads.put(key, upload_id, number, content, content_type)

    async def _complete(self, key: str, upload_id: str, etags: Mapping[int, str]) -> None:
        try:
            await self.uploads.complete(key, upload_id, etags)
        except (PartsRefused, ObjectMissing):
            # We have sent them all: it is the store that has lost some.
            raise ObjectStoreUnavailable("the store does not have the parts that it took") from None

    async def _abort(self, key: str, upload_id: str) -> None:
        try:
            await self.uploads.abort(key, upload_id)
        except ObjectStoreUnavailable as error:
            # What was uploaded of it stays until the store's own rule for unfinished uploads removes it.
            logger.warning("an upload could not be aborted", extra={"error": str(error)})

    async def get(self, key: str) -> bytes:
        """Return an object's content; raises ObjectMissing or ObjectStoreUnavailable."""
        async with self._requests.send("GET", key) as response:
            self._expect(response, 200)
            return await response.read()

    def signed(self, key: str) -> str:
        """Return a URL at which the object can be read for 15 minutes; it must not reach a log."""
        return self._requests.signed("GET", key)

    @asynccontextmanager
    async def open(self, key: str, conditions: Mapping[str, str], *, head: bool = False) -> AsyncIterator[ObjectReader]:
        """Read an object as a client asked for it: `conditions` are Range, If-None-Match, If-Range …

        Raises ObjectMissing or ObjectStoreUnavailable.
        """
        async with self._requests.send("HEAD" if head else "GET", key, headers=dict(conditions)) as response:
            self._expect(response, 200, 206, 304, 412, 416)
            headers = {name.lower(): value for name, value in response.headers.items()}
            if (stored := headers.get("content-type")) is not None:
                headers["content-type"] = _TYPES.get(stored, stored)
            yield ObjectReader(response.status, headers, response.content.iter_chunked(CHUNK_BYTES))

    async def is_unchanged(self, key: str, md5: str, size: int) -> bool | None:
        """Say whether the store has the content with this MD5 and size, as it computed them itself; reads none of it.

        None where the store's tag is no MD5: then only reading tells. Raises ObjectMissing, ObjectStoreUnavailable.
        """
        async with self.open(key, {}, head=True) as reader:
            tag = reader.headers.get("etag", "").strip('"')
            if not _MD5.fullmatch(tag):
                return None
            return tag == md5 and reader.headers.get("content-length") == str(size)

    async def digest(self, key: str) -> tuple[str, int]:
        """Read an object and return its SHA-256 in hexadecimal and its size in bytes."""
        digest, size = hashlib.sha256(), 0
        async with self.open(key, {}) as reader:
            async for chunk in reader.chunks:
                digest.update(chunk)
                size += len(chunk)
        return digest.hexdigest(), size

    async def copy(self, source: str, key: str) -> None:
        """Copy an object within the store, up to 5 GiB. Raises ObjectMissing or ObjectStoreUnavailable."""
        headers = {"x-amz-copy-source": quote(f"/{self._bucket}/{source}")}
        async with self._requests.send("PUT", key, headers=headers) as response:
            self._expect(response, 200)
            # S3 may begin to answer 200 and then say that it failed after all.
            if b"<Error>" in await response.read():
                raise ObjectStoreUnavailable("copying an object was answered 200 with an error")

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error. Raises ObjectStoreUnavailable."""
        async with self._requests.send("DELETE", key) as response:
            if response.status not in (200, 204, 404):
                raise ObjectStoreUnavailable(f"deleting an object was answered {response.status}")

    async def exists(self, key: str) -> bool:
        """Say whether there is an object under `key`."""
        async with self._requests.send("HEAD", key) as response:
            if response.status == 404:
                return False
            self._expect(response, 200)
            return True

    async def list_keys(self, prefix: str, limit: int) -> list[str]:
        """Return up to `limit` keys that begin with `prefix`. Raises ObjectStoreUnavailable."""
        return [one.key for one in await self.list_page(prefix, limit=limit)]

    async def list_page(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[Listed]:
        """Return up to `limit` objects whose keys begin with `prefix` and come behind `after`, in their order.

        Raises ObjectStoreUnavailable.
        """

        def listed() -> list[Listed]:
            found = self._minio.list_objects(self._bucket, prefix=prefix, recursive=True, start_after=after or None)
            return [
                Listed(one.object_name, one.size or 0, one.last_modified)
                for one in itertools.islice(found, limit)
                if one.object_name is not None and one.last_modified is not None
            ]

        try:
            return await asyncio.to_thread(listed)
        except _FAILURES as error:
            raise ObjectStoreUnavailable(f"objects could not be listed: {type(error).__name__}") from None

    async def ensure_bucket(self) -> bool:
        """Create the bucket if it is missing; say whether it was created."""
        try:
            if await asyncio.to_thread(self._minio.bucket_exists, self._bucket):
                return False
            await asyncio.to_thread(self._minio.make_bucket, self._bucket, self._region)
        except S3Error as error:
            if error.code in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                return False
            raise ObjectStoreUnavailable(f"the bucket could not be made: {error.code}") from error
        except _FAILURES as error:
            raise ObjectStoreUnavailable(f"the bucket could not be made: {type(error).__name__}") from None
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._requests.close()
        self._pool.clear()

    @staticmethod
    def _expect(response: aiohttp.ClientResponse, *wanted: int) -> None:
        if response.status == 404:
            raise ObjectMissing
        if response.status not in wanted:
            raise ObjectStoreUnavailable(f"reading an object was answered {response.status}")
