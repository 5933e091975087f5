"""Objects in any S3: small, immutable files under keys that say whose they are.

Requests go by aiohttp on URLs that the minio client signs: three to four times the rate of the
client's own threads.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
import urllib3
from minio import Minio
from minio.error import S3Error
from yarl import URL

SIGNATURE_LIFETIME = timedelta(minutes=15)
# No limit on the whole: a client may take longer than a minute to download what the store sends at once.
TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=20)
CHUNK_BYTES = 64 * 1024
LARGE_BYTES = 256 * 1024
"""From here on hashing takes longer than a millisecond, and goes to a thread."""


class ObjectMissing(Exception):
    """There is no object under that key."""


class ObjectStoreUnavailable(OSError):
    """The object store did not do what it should; trying again later may help."""


@dataclass(frozen=True, slots=True)
class ObjectStoreAddress:
    """Where the object store is and who we are to it."""

    endpoint: str
    region: str
    bucket: str
    access_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class ObjectReader:
    """An object, or the asked part of it, while it is read.

    `status` is 200 or 206 (or 304, 412, 416 without content); `headers` are the store's, lower-case names.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


def _machine_time() -> datetime:
    return datetime.now(UTC)


class ObjectStore:
    """One bucket of an S3 server."""

    def __init__(self, address: ObjectStoreAddress, clock: Callable[[], datetime] = _machine_time) -> None:
        """Connects lazily; `close` when done. Requests are dated by `clock`: the store refuses what is too old."""
        self._clock = clock
        scheme, _, host = address.endpoint.partition("://")
        self._bucket = address.bucket
        self._region = address.region
        # Only for the bucket; held here so that its connections can be closed.
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=30), retries=False)
        self._minio = Minio(
            host,
            access_key=address.access_key,
            secret_key=address.secret_key,
            secure=scheme == "https",
            # With the region known, signing needs no request.
            region=address.region,
            http_client=self._pool,
        )
        self._session: aiohttp.ClientSession | None = None

    async def put(self, key: str, content: bytes, content_type: str) -> str:
        """Write an object and return the SHA-256 of its content in hexadecimal.

        The store checks the MD5 that goes along. Raises ObjectStoreUnavailable.
        """
        large = len(content) > LARGE_BYTES
        md5, sha256 = await asyncio.to_thread(_digests, content) if large else _digests(content)
        headers = {"Content-Type": content_type, "Content-MD5": md5}
        async with self._request("PUT", key, data=io.BytesIO(content), headers=headers) as response:
            if response.status != 200:
                raise ObjectStoreUnavailable(f"writing an object was answered {response.status}")
        return sha256

    async def get(self, key: str) -> bytes:
        """Return an object's content; raises ObjectMissing or ObjectStoreUnavailable."""
        async with self._request("GET", key) as response:
            self._expect(response, 200)
            return await response.read()

    @asynccontextmanager
    async def open(self, key: str, conditions: Mapping[str, str], *, head: bool = False) -> AsyncIterator[ObjectReader]:
        """Read an object as a client asked for it: `conditions` are Range, If-None-Match, If-Range …

        Raises ObjectMissing or ObjectStoreUnavailable.
        """
        async with self._request("HEAD" if head else "GET", key, headers=dict(conditions)) as response:
            self._expect(response, 200, 206, 304, 412, 416)
            headers = {name.lower(): value for name, value in response.headers.items()}
            yield ObjectReader(response.status, headers, response.content.iter_chunked(CHUNK_BYTES))

    async def digest(self, key: str) -> tuple[str, int]:
        """Read an object and return its SHA-256 in hexadecimal and its size in bytes."""
        digest, size = hashlib.sha256(), 0
        async with self.open(key, {}) as reader:
            async for chunk in reader.chunks:
                digest.update(chunk)
                size += len(chunk)
        return digest.hexdigest(), size

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error. Raises ObjectStoreUnavailable."""
        async with self._request("DELETE", key) as response:
            if response.status not in (200, 204, 404):
                raise ObjectStoreUnavailable(f"deleting an object was answered {response.status}")

    async def exists(self, key: str) -> bool:
        """Say whether there is an object under `key`."""
        async with self._request("HEAD", key) as response:
            if response.status == 404:
                return False
            self._expect(response, 200)
            return True

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
        return True

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
        self._pool.clear()

    @staticmethod
    def _expect(response: aiohttp.ClientResponse, *wanted: int) -> None:
        if response.status == 404:
            raise ObjectMissing
        if response.status not in wanted:
            raise ObjectStoreUnavailable(f"reading an object was answered {response.status}")

    @asynccontextmanager
    async def _request(
        self, method: str, key: str, *, data: io.BytesIO | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False)
        signed = self._minio.get_presigned_url(
            method, self._bucket, key, expires=SIGNATURE_LIFETIME, request_date=self._clock()
        )
        url = URL(signed, encoded=True)
        try:
            async with self._session.request(method, url, data=data, headers=headers) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            # The signed URL must not reach a log.
            raise ObjectStoreUnavailable(f"the object store cannot be reached: {type(error).__name__}") from None


def _digests(content: bytes) -> tuple[str, str]:
    """Return the MD5 as the store wants it and the SHA-256 in hexadecimal."""
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    return b64encode(md5).decode(), hashlib.sha256(content).hexdigest()
