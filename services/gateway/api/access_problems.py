"""What clients are told about keys and people."""

from __future__ import annotations

from collections.abc import Mapping

from libs.web import Problem, ProblemOf, invalid_field
from services.gateway.domain import keys

NO_KEY = Problem(404, "key_not_found", "There is no such key", "GET /v1/keys lists those that there are.")
TOO_MANY_KEYS = Problem(
    409,
    "too_many_keys",
    "The organisation has as many keys as it may have",
    f"At most {keys.KEYS_MOST} are kept; revoke those that nobody uses (`last_used_at`).",
    {"limit": keys.KEYS_MOST},
)
PAST_EXPIRY = invalid_field("expires_at", "is past; name a time in the future")


def beyond(error: keys.BeyondOwnAccess) -> Problem:
    """Return the 403."""
    entry = {"field": error.field, "message": str(error)}
    return Problem(
        403, "beyond_own_access", "Nobody gives more than they have", f"{error.field}: {error}", {"errors": [entry]}
    )


ACCESS_PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    keys.KeyNotFound: lambda _error: NO_KEY,
    keys.TooManyKeys: lambda _error: TOO_MANY_KEYS,
    keys.BeyondOwnAccess: beyond,
    keys.InvalidExpiry: lambda _error: PAST_EXPIRY,
}
