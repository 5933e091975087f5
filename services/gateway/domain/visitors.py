"""Visitors of sites: told apart for a day without anybody knowing who they are."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import date
from ipaddress import IPv6Address, ip_address

TOKEN_BYTES = 16


class Visitors:
    """Makes the tokens by which the analytics service tells visitors of one day apart.

    Neither address nor browser leaves the gateway: the token is keyed with a secret, and differs each day. What is kept
    is not it, either, but its hash with a salt that only that service's database has, and destroys after the day.
    """

    def __init__(self, secret: bytes) -> None:
        """All replicas have the same `secret`."""
        self._key = hmac.digest(secret, b"antiphon visitor", "sha256")

    def token(self, address: str, user_agent: str, day: date) -> bytes:
        """Return the token of whoever asks from this address with this browser on this day (UTC)."""
        described = "\0".join((day.isoformat(), _network(address), user_agent))
        return hmac.digest(self._key, described.encode("utf-8", "surrogateescape"), "sha256")[:TOKEN_BYTES]


def _network(address: str) -> str:
    """Return what stays the same of an address during a day: systems change the second half of one of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else parsed.exploded[:19]
    return address


def objects_to_tracking(headers: Mapping[str, Iterable[str]]) -> bool:
    """Say whether a browser asks not to be tracked: Do Not Track, or Global Privacy Control."""
    return any(value.strip() == "1" for name in ("dnt", "sec-gpc") for value in headers.get(name, ()))
