"""Who is asking: the key that a request carries."""

from __future__ import annotations

from typing import Literal

from starlette.types import Scope as AsgiScope

from libs.apikeys import is_well_formed
from services.gateway.adapters.known_keys import KnownKeys
from services.gateway.adapters.strangers import Strangers
from services.gateway.domain.access import ANY_SCOPE, Credential, Scope
from services.gateway.domain.credentials import bearer_token, digest_of
from services.gateway.domain.failures import InvalidKey, ScopeMissing
from services.gateway.domain.headers import RequestHeaders


class Keys:
    """Finds out what keys say, and listens to nobody who tries many."""

    def __init__(self, known: KnownKeys, strangers: Strangers) -> None:
        self._known = known
        self._strangers = strangers

    async def credential_of(self, headers: RequestHeaders, address: str) -> Credential:
        """Return what the key in a request's headers says; raises InvalidKey, StrangerLimitReached."""
        return await self.credential_of_key(bearer_token(headers.authorization) or headers.xi_api_key, address)

    async def credential_of_key(self, key: str | None, address: str) -> Credential:
        """Return what `key`, which came from `address`, says; raises InvalidKey, StrangerLimitReached."""
        # What cannot be a key is not worth a query.
        if key is not None and is_well_formed(key):
            digest = digest_of(key)
            credential = self._known.get(digest)
            if credential is None:
                # A key that was used a moment ago is looked at wherever it comes from; others have to wait.
                if not self._known.knew(digest):
                    self._strangers.require(address)
                credential = await self._known.find(digest)
            if credential is not None:
                return credential
        self._strangers.count(address)
        raise InvalidKey

    def count_stranger(self, address: str) -> None:
        """Count a request that needs no key; raises StrangerLimitReached."""
        self._strangers.count(address)


def address_of(scope: AsgiScope) -> str:
    """Return from where a request or a connection comes; for nothing but counting."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def require_scope(credential: Credential, scope: Scope | Literal["any"]) -> None:
    """Raise ScopeMissing unless the key has `scope`."""
    if scope != ANY_SCOPE and scope not in credential.scopes:
        raise ScopeMissing(scope)
