from __future__ import annotations

import hashlib

import pytest

from libs.apikeys import new_api_key
from services.gateway.domain.credentials import bearer_token, digest_of, shown_prefix


@pytest.mark.parametrize("header", ["Bearer token", "bearer token", "BEARER  token "])
def test_a_bearer_token_is_found(header: str) -> None:
    assert bearer_token(header) == "token"


@pytest.mark.parametrize("header", [None, "", "Basic token", "token", "Bearertoken"])
def test_other_credentials_are_none(header: str | None) -> None:
    assert bearer_token(header) is None


def test_only_a_hash_and_a_short_prefix_are_kept() -> None:
    key = new_api_key()
    assert digest_of(key) == hashlib.sha256(key.encode()).digest()
    assert key.startswith(shown_prefix(key))
    assert len(shown_prefix(key)) == len("ant_") + 6
