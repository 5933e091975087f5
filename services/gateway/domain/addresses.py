"""Where the gateway may be sent by others: URLs and addresses that lead out, and not to what is around it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

MAX_URL_LENGTH = 2_000
HTTPS_PORT, FIRST_FREE_PORT = 443, 1024
_NAT64 = IPv6Network("64:ff9b::/96")

# The special-purpose registries of IANA (RFC 6890 and what came later). What Python's own `is_private` and `is_global`
# know differs between versions; this does not.
_CLOSED = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3ffe::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_CLOUD_METADATA = frozenset((ip_address("168.63.129.16"),))
"""What answers for the machine that asks and lies in none of these ranges, as 169.254.169.254 does."""

_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
"""A last label that makes a host an address, however it is written (https://url.spec.whatwg.org/#ends-in-a-number)."""

Address = IPv4Address | IPv6Address


class UrlRefused(Exception):
    """A URL that is not called; the message says why and what to do."""


def is_open(address: Address) -> bool:
    """Say whether an address leads out into the Internet and nowhere else."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return is_open(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _GLOBAL_IPV6:
            return False
    if address in _CLOUD_METADATA:
        return False
    return not any(address in network for network in _CLOSED if network.version == address.version)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a private installation allows beyond the open Internet: host names, and networks in CIDR notation."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Allowed:
        """Read a list of names, addresses and networks."""
        hosts: set[str] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for entry in filter(None, (one.strip().lower() for one in entries)):
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                if "/" in entry:
                    raise ValueError(f"{entry!r} is no network; write 10.0.0.0/8, an address, or a host name") from None
                hosts.add(entry.rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    def has_host(self, host: str) -> bool:
        """Say whether everything at a host is allowed, whatever it resolves to: it is named, or is such an address."""
        address = address_of(host)
        return self.has_address(address) if address else host.lower().rstrip(".") in self.hosts

    def has_address(self, address: Address) -> bool:
        """Say whether an address lies in an allowed network."""
        return any(address in network for network in self.networks if network.version == address.version)

    def lets(self, address: Address) -> bool:
        """Say whether an address may be connected to."""
        return is_open(address) or self.has_address(address)


def address_of(host: str) -> Address | None:
    """Return the address that a URL's host spells out; None for a name."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def check_url(url: str, allowed: Allowed) -> None:
    """Raise UrlRefused unless `url` may be called; what its name resolves to is checked when it is."""
    parts, host, port = _taken_apart(url)
    if allowed.has_host(host):
        return
    if parts.scheme == "http":
        raise UrlRefused("must begin with https://; only hosts that the installation allows are called without")
    if port is not None and port != HTTPS_PORT and port < FIRST_FREE_PORT:
        raise UrlRefused(f"must name port {HTTPS_PORT} or one from {FIRST_FREE_PORT} on")
    address = address_of(host)
    if address is None and _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise UrlRefused("must name a host, or an address in its usual form")
    if address is not None and not is_open(address):
        raise UrlRefused("leads to an address that is not on the Internet; the installation has to allow it")


def _taken_apart(url: str) -> tuple[SplitResult, str, int | None]:
    """Return the parts of a URL that could be called, its host and its port."""
    if len(url) > MAX_URL_LENGTH or not url.isascii() or any(one <= " " or one == "\x7f" or one == "\\" for one in url):
        raise UrlRefused(f"must be a URL of at most {MAX_URL_LENGTH} characters, escaped where it has to be")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UrlRefused("is not a URL") from error
    if parts.scheme not in ("https", "http") or not host:
        raise UrlRefused("must be a URL such as https://example.com/hook")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("must hold no user or password; check the signature of what you are told instead")
    if parts.fragment:
        raise UrlRefused("must have no fragment")
    return parts, host, port
