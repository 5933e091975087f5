"""Who is asking: a short-lived token that the gateway signs for one service and that service verifies.

Each service has a key of its own (HMAC-SHA-256), so a service that is broken into can speak for
nobody towards another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import Depends, Request

from libs.web.problems import Problem

HEADER = "x-antiphon-identity"
LIFETIME_SECONDS = 60
LEEWAY_SECONDS = 10
MOST_READ = 4096
"""How many tokens are remembered, about 1 kB each."""
_ALGORITHM = "HS256"
_ISSUER = "antiphon-gateway"


class Unauthenticated(Exception):
    """The request does not come through the gateway, or its token is too old."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: an organisation, through an API key, which is a user's or (None) the organisation's own."""

    org_id: UUID
    key_id: UUID
    user_id: UUID | None = None


def machine_time() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


def sign(caller: Caller, service: str, key: bytes, clock: Callable[[], datetime] = machine_time) -> str:
    """Return a token that says to `service`, for LIFETIME_SECONDS by `clock`, who is asking."""
    now = int(clock().timestamp())
    claims = {
        "iss": _ISSUER,
        "aud": service,
        "sub": str(caller.key_id),
        "org": str(caller.org_id),
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
    }
    if caller.user_id is not None:
        claims["usr"] = str(caller.user_id)
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a token says: who is asking, and between which seconds of the epoch it is believed."""

    caller: Caller
    since: int
    until: int

    def believed(self, clock: Callable[[], datetime]) -> Caller:
        """Return who is asking; raises Unauthenticated."""
        if not self.since <= clock().timestamp() < self.until:
            raise Unauthenticated
        return self.caller


def read(token: str, service: str, key: bytes) -> Identity:
    """Return what a token says that was signed for `service`; raises Unauthenticated for any other."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=service,
            issuer=_ISSUER,
            # The library would judge them by the machine's clock.
            options={"require": ["exp", "iat", "aud", "iss", "sub", "org"], "verify_exp": False, "verify_iat": False},
        )
        user = claims.get("usr")
        caller = Caller(UUID(claims["org"]), UUID(claims["sub"]), UUID(user) if user is not None else None)
        return Identity(caller, int(claims["iat"]) - LEEWAY_SECONDS, int(claims["exp"]) + LEEWAY_SECONDS)
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise Unauthenticated from error


def verify(token: str, service: str, key: bytes, clock: Callable[[], datetime] = machine_time) -> Caller:
    """Return who is asking; raises Unauthenticated. Both ends must go by one clock, or nothing is ever valid."""
    return read(token, service, key).believed(clock)


async def _caller(request: Request) -> Caller:
    verifier: IdentityVerifier = request.app.state.identity
    return verifier.verify(request.headers.get(HEADER, ""))


CallerOf = Annotated[Caller, Depends(_caller)]
"""A route's parameter: who is asking. A request without a valid token is answered 401."""


@dataclass(frozen=True, slots=True)
class IdentityVerifier:
    """Verifies tokens addressed to one service.

    The gateway sends one token with many requests: what one says is read once, and how old it is looked at every time.
    """

    service: str
    key: bytes
    clock: Callable[[], datetime] = machine_time
    _read: dict[str, Identity] = field(default_factory=dict, repr=False, compare=False)

    def verify(self, token: str) -> Caller:
        """Return who is asking; raises Unauthenticated."""
        identity = self._read.get(token)
        if identity is None:
            identity = read(token, self.service, self.key)
            if len(self._read) >= MOST_READ:
                self._read.clear()
            self._read[token] = identity
        return identity.believed(self.clock)


def unauthenticated_problem(_error: Unauthenticated) -> Problem:
    """Return what a client without identity is told."""
    return Problem(
        401,
        "unauthenticated",
        "The request carries no valid identity",
        "Ask through the gateway, with an API key.",
        headers={"WWW-Authenticate": "Bearer"},
    )
