"""Who is asking: the key that a request carries."""

from __future__ import annotations

from libs.apikeys import is_well_formed
from services.gateway.adapters.known_keys import KnownKeys
from services.gateway.domain.access import Credential, Scope
from services.gateway.domain.credentials import bearer_token, digest_of
from services.gateway.domain.failures import InvalidKey, ScopeMissing
from services.gateway.domain.headers import RequestHeaders


async def credential_of(keys: KnownKeys, headers: RequestHeaders) -> Credential:
    """Return what the key in a request's headers says; raises InvalidKey."""
    return await credential_of_key(keys, bearer_token(headers.authorization) or headers.xi_api_key)


async def credential_of_key(keys: KnownKeys, key: str | None) -> Credential:
    """Return what `key` says; raises InvalidKey."""
    # What cannot be a key is not worth a query.
    if key is None or not is_well_formed(key):
        raise InvalidKey
    credential = await keys.find(digest_of(key))
    if credential is None:
        raise InvalidKey
    return credential


def require_scope(credential: Credential, scope: Scope) -> None:
    """Raise ScopeMissing unless the key has `scope`."""
    if scope not in credential.scopes:
        raise ScopeMissing(scope)
