"""Requests to an S3 server, on URLs that are signed one by one."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import aiohttp
from minio import Minio
from urllib3 import PoolManager
from yarl import URL

from libs.objectstore.objects import ObjectStoreAddress, ObjectStoreUnavailable
from libs.objectstore.signing import presign

SIGNATURE_LIFETIME = timedelta(minutes=15)
# No limit on the whole: a client may take longer than a minute to download what the store sends at once.
TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=20)
CHUNK_BYTES = 256 * 1024


def minio_client(address: ObjectStoreAddress, endpoint: str, pool: PoolManager | None = None) -> Minio:
    """Return the client that signs for `endpoint` (scheme, host and port), and asks through `pool`."""
    scheme, _, host = endpoint.partition("://")
    return Minio(
        host,
        access_key=address.access_key,
        secret_key=address.secret_key,
        secure=scheme == "https",
        # With the region known, signing needs no request.
        region=address.region,
        http_client=pool,
    )


class SignedRequests:
    """Sends requests for the objects of one bucket, and for the bucket itself."""

    def __init__(self, address: ObjectStoreAddress, minio: Minio, clock: Callable[[], datetime]) -> None:
        """Connects lazily; `close` when done. `minio` signs what carries no header of S3's own."""
        self._address = address
        self._bucket = address.bucket
        self._minio = minio
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def send(
        self,
        method: str,
        key: str,
        *,
        data: io.BytesIO | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request for `key`, or for the bucket where that is empty. Raises ObjectStoreUnavailable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False, read_bufsize=CHUNK_BYTES)
        signed = self.signed(method, key, headers or {}, query)
        url = URL(signed, encoded=True)
        try:
            async with self._session.request(method, url, data=data, headers=headers) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            # The signed URL must not reach a log.
            raise ObjectStoreUnavailable(f"the object store cannot be reached: {type(error).__name__}") from None

    def signed(
        self, method: str, key: str, headers: Mapping[str, str] | None = None, query: dict[str, str] | None = None
    ) -> str:
        """Return the URL of one request, which has to be sent within SIGNATURE_LIFETIME."""
        # S3 refuses headers of its own that are not signed.
        amazon = {name: value for name, value in (headers or {}).items() if name.startswith("x-amz-")}
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
            region=self._address.region,
            signed_at=self._clock(),
            lifetime=SIGNATURE_LIFETIME,
            headers=amazon,
            query=query,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
