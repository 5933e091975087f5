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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import aiohttp
import urllib3
from minio import Minio
from minio.error import S3Error
from yarl import URL

from libs.objectstore.signing import presign

SIGNATURE_LIFETIME = timedelta(minutes=15)
# No limit on the whole: a client may take longer than a minute to download what the store sends at once.
TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=20)
CHUNK_BYTES = 256 * 1024
LARGE_BYTES = 256 * 1024
"""From here on hashing takes longer than a millisecond, and goes to a thread."""


PART_BYTES = 8 * 2**20
"""Of uploads in parts; S3 wants at least 5 MiB, and at most 10,000 of them."""

STORED_TYPES = {"audio/wav": "audio/vnd.wave"}
"""Under which names types are stored: SeaweedFS compresses what is `audio/wav` as it comes in, takes it apart again to
check it, and once more whenever it is read, which costs four times what storing it does. `audio/vnd.wave` is the name
by which IANA knows the same."""
_TYPES = {stored: known for known, stored in STORED_TYPES.items()}

_MD5 = re.compile(r"[0-9a-f]{32}")

logger = logging.getLogger(__name__)


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

    `status` is 200 or 206 (or 304, 412, 416 without content); `headers` are the store's, lower-case names, with the
    type that the object was written with.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing tells of it: its size in bytes, and when all of it was there."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Digests:
    """What identifies a content, in lower-case hexadecimal."""

    sha256: str
    md5: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written: SHA-256 and MD5 in lower-case hexadecimal, and its size in bytes.

    No MD5 of what was written in several parts: the store does not know it by that.
    """

    sha256: str
    md5: str
    size: int


@dataclass(frozen=True, slots=True)
class _Upload:
    """An upload in parts; `etags` are what the store answered to those that it has."""

    key: str
    id: str
    etags: list[str]


def _element(document: bytes, name: str) -> str:
    """Return the text of an element of one of the store's answers."""
    found = re.search(rf"<{name}>([^<]+)</{name}>".encode(), document)
    if found is None:
        raise ObjectStoreUnavailable(f"the answer has no {name}")
    return found[1].decode()


def _machine_time() -> datetime:
    return datetime.now(UTC)


class ObjectStore:
    """One bucket of an S3 server."""

    def __init__(self, address: ObjectStoreAddress, clock: Callable[[], datetime] = _machine_time) -> None:
        """Connects lazily; `close` when done. Requests are dated by `clock`: the store refuses what is too old."""
        self._clock = clock
        scheme, _, host = address.endpoint.partition("://")
        self._address = address
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
        return (await self.put_checked(key, content, content_type)).sha256

    async def put_checked(self, key: str, content: bytes, content_type: str) -> Digests:
        """As `put`; returns the MD5, too, by which `is_unchanged` knows the content again."""
        large = len(content) > LARGE_BYTES
        digests = await asyncio.to_thread(_digests, content) if large else _digests(content)
        await self._put(key, content, content_type, digests.md5)
        return digests

    async def _put(self, key: str, content: bytes, content_type: str, md5: str) -> None:
        headers = {
            "Content-Type": STORED_TYPES.get(content_type, content_type),
            "Content-MD5": b64encode(bytes.fromhex(md5)).decode(),
        }
        async with self.request("PUT", key, data=io.BytesIO(content), headers=headers) as response:
            if response.status != 200:
                raise ObjectStoreUnavailable(f"writing an object was answered {response.status}")

    async def put_parts(self, key: str, parts: AsyncIterator[bytes], content_type: str) -> Stored:
        """Write an object while it is made.

        No more than PART_BYTES and one piece of `parts` are in memory; each piece is hashed as it comes. Nothing is
        visible before all of it is there, and nothing stays when `parts` fails. Raises ObjectStoreUnavailable.
        """
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        upload: _Upload | None = None
        waiting = bytearray()
        try:
            async for part in parts:
                sha256.update(part)
                size += len(part)
                waiting += part
                if size < PART_BYTES:
                    md5.update(part)
                while len(waiting) >= PART_BYTES:
                    if upload is None:
                        upload = await self._begin_upload(key, content_type)
                    await self._upload_part(upload, bytes(waiting[:PART_BYTES]))
                    del waiting[:PART_BYTES]
            if upload is None:
                await self._put(key, bytes(waiting), content_type, md5.hexdigest())
            else:
                if waiting:
                    await self._upload_part(upload, bytes(waiting))
                await self._complete_upload(upload)
        except BaseException:
            if upload is not None:
                await asyncio.shield(self._abort_upload(upload))
            raise
        return Stored(sha256.hexdigest(), md5.hexdigest() if upload is None else "", size)

    async def _begin_upload(self, key: str, content_type: str) -> _Upload:
        headers = {"Content-Type": STORED_TYPES.get(content_type, content_type)}
        async with self.request("POST", key, headers=headers, query={"uploads": ""}) as response:
            if response.status != 200:
                raise ObjectStoreUnavailable(f"beginning an upload was answered {response.status}")
            upload_id = _element(await response.read(), "UploadId")
        return _Upload(key, upload_id, [])

    async def _upload_part(self, upload: _Upload, content: bytes) -> None:
        query = {"partNumber": str(len(upload.etags) + 1), "uploadId": upload.id}
        digests = await asyncio.to_thread(_digests, content)
        headers = {"Content-MD5": b64encode(bytes.fromhex(digests.md5)).decode()}
        async with self.request("PUT", upload.key, data=io.BytesIO(content), headers=headers, query=query) as response:
            if response.status != 200:
                raise ObjectStoreUnavailable(f"writing a part was answered {response.status}")
            upload.etags.append(response.headers["ETag"])

    async def _complete_upload(self, upload: _Upload) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in enumerate(upload.etags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        query = {"uploadId": upload.id}
        async with self.request("POST", upload.key, data=io.BytesIO(body), query=query) as response:
            # S3 may begin to answer 200 and then say that it failed after all.
            if response.status != 200 or b"<Error>" in await response.read():
                raise ObjectStoreUnavailable(f"completing an upload was answered {response.status}")

    async def _abort_upload(self, upload: _Upload) -> None:
        try:
            async with self.request("DELETE", upload.key, query={"uploadId": upload.id}) as response:
                logger.info("an upload was aborted", extra={"status": response.status})
        except ObjectStoreUnavailable as error:
            # What was uploaded of it stays until the store's own rule for unfinished uploads removes it.
            logger.warning("an upload could not be aborted", extra={"error": str(error)})

    async def get(self, key: str) -> bytes:
        """Return an object's content; raises ObjectMissing or ObjectStoreUnavailable."""
        async with self.request("GET", key) as response:
            self._expect(response, 200)
            return await response.read()

    @asynccontextmanager
    async def open(self, key: str, conditions: Mapping[str, str], *, head: bool = False) -> AsyncIterator[ObjectReader]:
        """Read an object as a client asked for it: `conditions` are Range, If-None-Match, If-Range …

        Raises ObjectMissing or ObjectStoreUnavailable.
        """
        async with self.request("HEAD" if head else "GET", key, headers=dict(conditions)) as response:
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
        async with self.request("PUT", key, headers=headers) as response:
            self._expect(response, 200)
            # S3 may begin to answer 200 and then say that it failed after all.
            if b"<Error>" in await response.read():
                raise ObjectStoreUnavailable("copying an object was answered 200 with an error")

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error. Raises ObjectStoreUnavailable."""
        async with self.request("DELETE", key) as response:
            if response.status not in (200, 204, 404):
                raise ObjectStoreUnavailable(f"deleting an object was answered {response.status}")

    async def exists(self, key: str) -> bool:
        """Say whether there is an object under `key`."""
        async with self.request("HEAD", key) as response:
            if response.status == 404:
                return False
            self._expect(response, 200)
            return True

    async def list_keys(self, prefix: str, limit: int) -> list[str]:
        """Return up to `limit` keys that begin with `prefix`. Raises ObjectStoreUnavailable."""

        def listed() -> list[str]:
            found = self._minio.list_objects(self._bucket, prefix=prefix, recursive=True)
            return [one.object_name for one in itertools.islice(found, limit) if one.object_name is not None]

        try:
            return await asyncio.to_thread(listed)
        except (S3Error, urllib3.exceptions.HTTPError) as error:
            raise ObjectStoreUnavailable(f"objects could not be listed: {type(error).__name__}") from None

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
        except (S3Error, urllib3.exceptions.HTTPError) as error:
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
    async def request(
        self,
        method: str,
        key: str,
        *,
        data: io.BytesIO | None = None,
        headers: Mapping[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request for `key`, or for the bucket where that is empty. Raises ObjectStoreUnavailable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False, read_bufsize=CHUNK_BYTES)
        signed = self._sign(method, key, headers or {}, query)
        url = URL(signed, encoded=True)
        try:
            async with self._session.request(method, url, data=data, headers=headers) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            # The signed URL must not reach a log.
            raise ObjectStoreUnavailable(f"the object store cannot be reached: {type(error).__name__}") from None

    def _sign(self, method: str, key: str, headers: Mapping[str, str], query: dict[str, str] | None) -> str:
        # S3 refuses headers of its own that are not signed.
        amazon = {name: value for name, value in headers.items() if name.startswith("x-amz-")}
        if key and not amazon:
            return self._minio.get_presigned_url(
                method,
                self._bucket,
                key,
                expires=SIGNATURE_LIFETIME,
                request_date=self._clock(),
                extra_query_params=query,  # type: ignore[arg-type]  # a wider dict is all that it asks for
            )
        return presign(
            method,
            self._address.endpoint,
            f"/{self._bucket}/{key}".rstrip("/"),
            access_key=self._address.access_key,
            secret_key=self._address.secret_key,
            region=self._region,
            signed_at=self._clock(),
            lifetime=SIGNATURE_LIFETIME,
            headers=amazon,
            query=query,
        )


def _digests(content: bytes) -> Digests:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Digests(sha256=hashlib.sha256(content).hexdigest(), md5=md5)
