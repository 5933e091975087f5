"""API keys as requests carry them and as the gateway keeps them."""

from __future__ import annotations

import hashlib

PREFIX_LENGTH = 10
"""Characters of a key that may be shown: `ant_` and six more, so that its owner knows it again."""


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an `Authorization: Bearer` header, or None when it is of another kind."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None


def digest_of(key: str) -> bytes:
    """Return what is stored of a well-formed `key`: its SHA-256.

    178 random bits cannot be guessed, so a slow hash would protect nothing more.
    """
    return hashlib.sha256(key.encode("ascii")).digest()


def shown_prefix(key: str) -> str:
    """Return the beginning of `key` by which people recognise it."""
    return key[:PREFIX_LENGTH]
