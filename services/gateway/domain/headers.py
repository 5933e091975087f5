"""Which headers pass the gateway, and which end at it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

RawHeaders = Iterable[tuple[bytes, bytes]]

INTERNAL_PREFIX = b"x-antiphon-"
"""Headers between our own processes: neither a client's nor for a client."""

_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# The gateway answers, replaces or remakes these; addresses that a client claims to come from are believed by nobody.
_ENDING_HERE = frozenset(
    (
        b"authorization",
        b"content-length",
        b"cookie",
        b"expect",
        b"forwarded",
        b"host",
        b"idempotency-key",
        b"traceparent",
        b"tracestate",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
        b"xi-api-key",
    )
)
_CONDITIONS = frozenset(
    ("range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "accept")
)
_BODILESS = frozenset((204, 304))
_IDS = frozenset((b"traceparent", b"tracestate", b"baggage", b"x-request-id"))
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


@dataclass(slots=True)
class RequestHeaders:
    """What a client's headers say.

    `passed` goes to the service; `authorization`, `xi_api_key` (ElevenLabs' clients send their key in it) and
    `request_id` are None when absent, unusable or sent twice;
    `hosts` and `idempotency_keys` are all that were sent; `content_length` is None without a declared length;
    `trace` has what of `traceparent` and `tracestate` was sent.
    """

    passed: list[tuple[str, str]] = field(default_factory=list)
    authorization: str | None = None
    xi_api_key: str | None = None
    request_id: str | None = None
    idempotency_keys: Sequence[str] = ()
    content_length: int | None = None
    hosts: Sequence[str] = ()
    chunked: bool = False
    expects_continue: bool = False
    trace: dict[str, str] = field(default_factory=dict)

    @property
    def has_body(self) -> bool:
        """Say whether a body follows the headers."""
        return self.chunked or bool(self.content_length)

    def value(self, name: str) -> str | None:
        """Return the first value of a passed header, or None."""
        return next((value for key, value in self.passed if key == name), None)


def read_request_headers(headers: RawHeaders) -> RequestHeaders:
    """Sort a client's headers; names are lower case, as ASGI has them."""
    read = RequestHeaders()
    special: dict[bytes, list[str]] = {}
    for name, value in headers:
        if name in _ENDING_HERE or name in _HOP_BY_HOP:
            special.setdefault(name, []).append(_text(value))
        elif not name.startswith(INTERNAL_PREFIX):
            read.passed.append((_text(name), _text(value)))
    _drop_connection_headers(read, special.get(b"connection", ()))
    read.authorization = _only(special.get(b"authorization"))
    read.xi_api_key = _only(special.get(b"xi-api-key"))
    request_id = _only(special.get(b"x-request-id"))
    if request_id is not None and _REQUEST_ID.fullmatch(request_id):
        read.request_id = request_id
    read.idempotency_keys = special.get(b"idempotency-key", ())
    length = _only(special.get(b"content-length"))
    read.content_length = int(length) if length is not None else None
    read.hosts = special.get(b"host", ())
    read.chunked = b"transfer-encoding" in special
    read.expects_continue = b"expect" in special
    for name in (b"traceparent", b"tracestate"):
        if name in special:
            read.trace[name.decode()] = ",".join(special[name])
    return read


def anonymous(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Return a request's headers without those that say which client's request or trace it is."""
    return [header for header in headers if header[0] not in _IDS]


def conditions(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return those of a request's passed headers that say which part or version of a resource is wanted."""
    return [header for header in headers if header[0] in _CONDITIONS]


def answer_headers(status: int, headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Return the headers of a service's answer that go on to the client.

    An answer that never has a body keeps no length either: the server would wait for that many bytes.
    """
    kept = [(name.lower(), value) for name, value in headers]
    dropped = {
        token.strip().lower() for name, value in kept if name == b"connection" for token in value.split(b",")
    } | _HOP_BY_HOP
    if status in _BODILESS:
        dropped = dropped | {b"content-length"}
    return [
        (name, value)
        for name, value in kept
        if name not in dropped and name != b"x-request-id" and not name.startswith(INTERNAL_PREFIX)
    ]


def _drop_connection_headers(read: RequestHeaders, connection: Sequence[str]) -> None:
    """Drop what the client's own hop was told to drop."""
    if not connection:
        return
    named = {token.strip().lower() for value in connection for token in value.split(",")}
    if named - {"keep-alive", "close"}:
        read.passed = [header for header in read.passed if header[0] not in named]


def _only(values: Sequence[str] | None) -> str | None:
    return values[0] if values and len(values) == 1 else None


def _text(value: bytes) -> str:
    # The client library writes text as UTF-8: what is valid UTF-8 arrives byte for byte, older encodings as Latin-1.
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
