"""Under which names the gateway answers."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

MAX_KNOWN = 1000
ANY = "*"


class MisdirectedRequest(Exception):
    """The request is for a host that the gateway is not."""


class Hosts:
    """Says whether a request's host is one of ours.

    A page of somebody else can make its own name stand for this machine's address, and then ask as if it were a page of
    ours: its requests carry that name. Addresses cannot be taken over like that, so they are always ours.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """`names` are allowed beside localhost and addresses; one that begins with a dot stands for all below it."""
        lower = {name.strip().lower() for name in names} - {""}
        self._any = ANY in lower
        self._names = frozenset({"localhost", *lower})
        self._suffixes = (".localhost", *(name for name in lower if name.startswith(".")))
        self._known: set[str] = set()

    def allow(self, host: str) -> bool:
        """Say whether a request with this `Host` (with its port, if it has one) is for us."""
        if host in self._known:
            return True
        if not self._is_ours(host):
            return False
        if len(self._known) < MAX_KNOWN:
            self._known.add(host)
        return True

    def _is_ours(self, host: str) -> bool:
        name = _without_port(host.lower())
        if name is None:
            return False
        return self._any or name in self._names or name.endswith(self._suffixes) or _is_address(name)


def _without_port(host: str) -> str | None:
    """Return the name or address, None when it is malformed."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            return None
        port = port[1:]
    else:
        name, _, port = host.partition(":")
        name = name.removesuffix(".")
    return name if name and (not port or (port.isascii() and port.isdigit())) else None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
