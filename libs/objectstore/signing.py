"""Signature Version 4 of Amazon's S3, as a part of a URL, with headers of the request in what is signed.

The minio client signs URLs, too, but only the server's name with them; an upload has to be bound to its size, its type
and its checksum. The steps are those of "Authenticating Requests: Using Query Parameters" in the S3 API reference.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-._~"


def presign(
    method: str,
    endpoint: str,
    path: str,
    *,
    access_key: str,
    secret_key: str,
    region: str,
    signed_at: datetime,
    lifetime: timedelta,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> str:
    """Return a URL for one request: `path` is /bucket/key, not yet quoted; `headers` have to be sent as they are.

    What a header says is compared by the store, so that a request that says something else is refused.
    """
    parts = urlsplit(endpoint)
    day = signed_at.astimezone(UTC).strftime("%Y%m%d")
    moment = signed_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/{region}/s3/aws4_request"
    signed = {name.lower(): " ".join(value.split()) for name, value in (headers or {}).items()} | {"host": parts.netloc}
    names = ";".join(sorted(signed))
    parameters = {
        **(query or {}),
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{access_key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(int(lifetime.total_seconds())),
        "X-Amz-SignedHeaders": names,
    }
    uri = quote(path, safe="/" + _UNRESERVED)
    canonical_query = "&".join(
        f"{quote(name, safe=_UNRESERVED)}={quote(value, safe=_UNRESERVED)}"
        for name, value in sorted(parameters.items())
    )
    canonical_headers = "".join(f"{name}:{value}\n" for name, value in sorted(signed.items()))
    canonical = f"{method}\n{uri}\n{canonical_query}\n{canonical_headers}\n{names}\nUNSIGNED-PAYLOAD"
    to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return f"{parts.scheme}://{parts.netloc}{uri}?{canonical_query}&X-Amz-Signature={signature}"
