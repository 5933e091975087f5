"""URLs for clients: whose address they carry, and when they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from libs.objectstore import ObjectStoreAddress, PublicSigner

ADDRESS = ObjectStoreAddress("http://s3:8333", "eu-central-1", "antiphon", "access", "secret")
NOW = datetime(2026, 2, 1, 12, 0, 0, 900_000, tzinfo=UTC)


def signer(endpoint: str | None = None) -> PublicSigner:
    return PublicSigner(ADDRESS, endpoint, lambda: NOW)


def test_a_url_is_signed_for_the_address_that_clients_use() -> None:
    url = urlsplit(signer("https://media.example.com").sign("GET", "generations/a.mp3").url)
    assert (url.scheme, url.netloc, url.path) == ("https", "media.example.com", "/antiphon/generations/a.mp3")
    assert urlsplit(signer().sign("GET", "a.mp3").url).netloc == "s3:8333"


def test_it_says_when_it_ends_as_the_signature_does() -> None:
    signed = signer().sign("GET", "a.mp3", lifetime=timedelta(seconds=60))
    assert signed.expires_at == NOW.replace(microsecond=0) + timedelta(seconds=60)
    query = parse_qs(urlsplit(signed.url).query)
    assert (query["X-Amz-Date"], query["X-Amz-Expires"]) == (["20260201T120000Z"], ["60"])


def test_what_the_store_is_to_answer_with_is_signed_too() -> None:
    signed = signer().sign("GET", "a.mp3", headers={"content-type": "audio/wav"})
    assert parse_qs(urlsplit(signed.url).query)["response-content-type"] == ["audio/wav"]


@pytest.mark.parametrize("seconds", [0, 0.5, 901])
def test_nothing_is_signed_for_no_time_or_for_longer_than_a_quarter_of_an_hour(seconds: float) -> None:
    with pytest.raises(ValueError, match="a signature lasts"):
        signer().sign("GET", "a.mp3", lifetime=timedelta(seconds=seconds))
