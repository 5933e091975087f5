"""URLs that clients use themselves: signed for the address under which they reach the object store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.objectstore.objects import ObjectStoreAddress
from libs.objectstore.requests import SIGNATURE_LIFETIME, minio_client
from libs.objectstore.signing import presign


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """A URL that lets whoever has it do one thing to one object until `expires_at`."""

    url: str
    expires_at: datetime


class PublicSigner:
    """Signs URLs for clients; asks nobody.

    The name of the server is part of what is signed: a URL that was signed for the address that the services use cannot
    be rewritten for another one.
    """

    def __init__(self, address: ObjectStoreAddress, endpoint: str | None, clock: Callable[[], datetime]) -> None:
        """`endpoint` is scheme, host and port of the store as clients reach it; None: as the services do."""
        self._address = address
        self._endpoint = (endpoint or address.endpoint).rstrip("/")
        self._bucket = address.bucket
        self._clock = clock
        self._minio = minio_client(address, self._endpoint)

    def sign(
        self,
        method: str,
        key: str,
        *,
        lifetime: timedelta = SIGNATURE_LIFETIME,
        headers: Mapping[str, str] | None = None,
    ) -> SignedUrl:
        """Sign one method of one key; `headers` are those with which the store is to answer a GET.

        They are signed with it. Raises ValueError for a lifetime that is not from a second to SIGNATURE_LIFETIME.
        """
        if not timedelta(seconds=1) <= lifetime <= SIGNATURE_LIFETIME:
            raise ValueError(f"a signature lasts from a second to {SIGNATURE_LIFETIME}, not {lifetime}")
        # The signature says when it was made in whole seconds, and counts from there.
        signed_at = self._clock().replace(microsecond=0)
        url = self._minio.get_presigned_url(
            method,
            self._bucket,
            key,
            expires=lifetime,
            request_date=signed_at,
            response_headers={f"response-{name}": value for name, value in (headers or {}).items()},
        )
        return SignedUrl(url, signed_at + lifetime)

    def sign_upload(
        self,
        key: str,
        *,
        lifetime: timedelta = SIGNATURE_LIFETIME,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
    ) -> SignedUrl:
        """Sign a PUT that has to carry `headers` as they are: the store refuses another size, type or checksum.

        Raises ValueError for a lifetime that is not from a second to SIGNATURE_LIFETIME.
        """
        if not timedelta(seconds=1) <= lifetime <= SIGNATURE_LIFETIME:
            raise ValueError(f"a signature lasts from a second to {SIGNATURE_LIFETIME}, not {lifetime}")
        signed_at = self._clock().replace(microsecond=0)
        url = presign(
            "PUT",
            self._endpoint,
            f"/{self._bucket}/{key}",
            access_key=self._address.access_key,
            secret_key=self._address.secret_key,
            region=self._address.region,
            signed_at=signed_at,
            lifetime=lifetime,
            headers=headers,
            query=query,
        )
        return SignedUrl(url, signed_at + lifetime)
