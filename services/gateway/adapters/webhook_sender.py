"""Sends to URLs that clients name, and only to where these may lead.

Every connection is made to an address that was checked, by whoever makes the connection: a name that leads elsewhere a
moment later changes nothing. Redirects are not followed, proxies of the environment not used, answers not kept.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.gateway.domain.addresses import Address, Allowed, UrlRefused, check_url
from services.gateway.domain.webhooks import ErrorKind, Outcome, outcome_of_status

TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 64 * 2**10
"""What is read of an answer at most, and thrown away: a receiver that says more is done with."""
LOOKUPS = 16
"""Names that are looked up at the same time. In threads of their own: a name server that does not answer stops nobody
else in this process."""

LookUp = Callable[[str, int], list[str]]
"""Returns the addresses of a name, for a port; raises OSError."""


class _AddressRefused(Exception):
    """The name leads to an address that may not be called."""


class Resolver(AbstractResolver):
    """Looks names up in threads of its own."""

    def __init__(self, look_up: LookUp, lets: Callable[[Address], bool]) -> None:
        """A name is refused when one of its addresses is not what `lets` lets through."""
        self._look_up = look_up
        self._lets = lets
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`, of whatever family."""
        del family
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(self._threads, self._look_up, host, port)
        if not all(self._lets(_parsed(address)) for address in addresses):
            raise _AddressRefused
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def look_up(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


class WebhookSender:
    """Posts to webhooks."""

    def __init__(self, allowed: Allowed, look_up: LookUp = look_up, *, total_seconds: float = TOTAL_SECONDS) -> None:
        """Must be made inside the event loop; `close` when done. `allowed` is what is reached besides the Internet."""
        self._allowed = allowed
        self._timeout = aiohttp.ClientTimeout(total=total_seconds, sock_connect=CONNECT_SECONDS)
        self._resolvers = (Resolver(look_up, allowed.lets), Resolver(look_up, lambda _address: True))
        self._guarded = self._session(self._resolvers[0], self._checked_socket)
        # To hosts that the installation names, wherever they are.
        self._trusting = self._session(self._resolvers[1], None)

    async def close(self) -> None:
        """End what is under way."""
        await self._guarded.close()
        await self._trusting.close()
        for resolver in self._resolvers:
            await resolver.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Post `body` and return what came of it; never raises."""
        began = time.perf_counter()
        error: ErrorKind
        try:
            check_url(url, self._allowed)
            status = await self._post(url, body, headers)
        except (UrlRefused, _AddressRefused):
            error = ErrorKind.ADDRESS_REFUSED
        except TimeoutError:
            error = ErrorKind.TIMEOUT
        except (ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError):
            error = ErrorKind.TLS
        except (aiohttp.ClientConnectorError, OSError):
            error = ErrorKind.UNREACHABLE
        except (aiohttp.ClientError, ValueError):
            error = ErrorKind.INVALID_ANSWER
        else:
            return outcome_of_status(status, _milliseconds(began))
        return Outcome(_milliseconds(began), error=error)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        host = URL(url).host or ""
        session = self._trusting if self._allowed.has_host(host) else self._guarded
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            # A receiver that reads only after it was read from gets its answer read, but not for ever.
            taken = 0
            async for piece in response.content.iter_any():
                taken += len(piece)
                if taken > ANSWER_BYTES:
                    break
            return response.status

    def _session(
        self, resolver: Resolver, sockets: Callable[[aiohttp.AddrInfoType], socket.socket] | None
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                # A connection is made anew, and checked, for each delivery.
                force_close=True,
                use_dns_cache=False,
                resolver=resolver,
                socket_factory=sockets,
            ),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("Accept-Encoding",),
        )

    def _checked_socket(self, where: aiohttp.AddrInfoType) -> socket.socket:
        """Return a socket for an address that may be connected to: nothing stands between this and the connection."""
        family, kind, protocol, _, place = where
        if not self._allowed.lets(_parsed(str(place[0]))):
            raise _AddressRefused
        return socket.socket(family=family, type=kind, proto=protocol)


def _parsed(address: str) -> Address:
    return ip_address(address.partition("%")[0])


def _milliseconds(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)
