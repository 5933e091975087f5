"""What is checked of every request before anything else, and what every answer says to browsers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.types import Scope

from services.gateway.domain.headers import RequestHeaders
from services.gateway.domain.hosts import ANY, Hosts, MisdirectedRequest

PREFLIGHT_SECONDS = 600
_TOKENS = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, \t-]{1,2000}")
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_EXPOSED = b"RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, ETag, Content-Range, Content-Disposition"

Header = tuple[bytes, bytes]


class MalformedRequest(Exception):
    """The request's head says not, or not only once, for whom it is."""


class Front:
    """The rules for hosts, framing and other sites' pages."""

    def __init__(self, hosts: Hosts, *, origins: Iterable[str] = (), encrypted: bool = False) -> None:
        """`origins` are those whose pages may ask, none by default; `encrypted` says that all comes over TLS."""
        self._hosts = hosts
        self._origins = frozenset(origin.strip().rstrip("/").lower().encode() for origin in origins)
        self.headers: tuple[Header, ...] = (*_ALWAYS, _HSTS) if encrypted else _ALWAYS
        self.answers_other_sites = bool(self._origins)

    def check(self, scope: Scope, headers: RequestHeaders) -> None:
        """Raise MalformedRequest or MisdirectedRequest."""
        if len(headers.hosts) != 1:
            if headers.hosts or scope.get("http_version") != "1.0":
                raise MalformedRequest("one Host is needed")
        elif not self._hosts.allow(headers.hosts[0]):
            raise MisdirectedRequest

    def cross_origin(self, scope: Scope) -> tuple[Header, ...]:
        """Return the headers by which a page of another site may read the answer; none for a site not listed.

        Credentials that a browser adds by itself are never allowed: a page sends its key.
        """
        origin = _header(scope, b"origin")
        if origin is None:
            return ()
        vary = (b"vary", b"Origin")
        if ANY.encode() in self._origins:
            return ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED))
        if origin.lower() not in self._origins:
            return (vary,)
        return ((b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED), vary)

    def preflight(self, scope: Scope, methods: Iterable[str]) -> tuple[Header, ...] | None:
        """Return the headers that answer a browser's question whether a page may ask; None where that is not asked."""
        if scope["method"] != "OPTIONS" or _header(scope, b"access-control-request-method") is None:
            return None
        allowed = self.cross_origin(scope)
        if not any(name == b"access-control-allow-origin" for name, _ in allowed):
            return None
        asked = _header(scope, b"access-control-request-headers") or b""
        names = ((b"access-control-allow-headers", asked),) if _TOKENS.fullmatch(asked) else ()
        return (
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            (b"access-control-max-age", str(PREFLIGHT_SECONDS).encode()),
            *names,
        )


def _header(scope: Scope, name: bytes) -> bytes | None:
    values: list[bytes] = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else None
