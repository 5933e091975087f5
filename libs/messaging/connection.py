"""One NATS connection a process, which never gives up."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nats.js import JetStreamContext
from opentelemetry import metrics

from libs.messaging.client import Client

logger = logging.getLogger(__name__)

WAKE_SECONDS = 0.002
PUBLISH_TIMEOUT = 10.0
"""Seconds to wait for the broker's acknowledgement; the client's own default of 0.5 s is too short under fsync."""


_DENIED = re.compile(r"permissions violation for (?P<operation>\w+) to \"?(?P<subject>[^\s\"]+)", re.IGNORECASE)
_denials = metrics.get_meter("antiphon.messaging").create_counter(
    "antiphon.nats.denied", description="Subjects that the broker denied to this process"
)


@dataclass(frozen=True, slots=True)
class NatsTls:
    """Who vouches for the broker, and with which certificate we answer a broker that asks for one."""

    ca_file: Path
    certificate_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what a connection is made with. Raises OSError when a file is not what it should be."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """Where the broker is and who we are to it. `url` names several servers of a cluster with commas in between.

    With `tls` connections are encrypted; a `tls://` URL alone trusts the authorities that the machine trusts.
    """

    url: str
    user: str
    password: str
    tls: NatsTls | None = None

    @property
    def servers(self) -> list[str]:
        """The URL of each server."""
        return self.url.split(",")


def inbox_prefix(user: str) -> str:
    """Return where replies to `user` go: nobody else may listen there."""
    return f"_INBOX_{user}"


@dataclass(slots=True)
class Bus:
    """The process's connection to the broker."""

    client: Client
    jetstream: JetStreamContext
    _on_reconnect: list[Callable[[], None]] = field(default_factory=list)
    _wakes: dict[str, bool] = field(default_factory=dict)
    """Subjects that were woken a moment ago, and whether that was asked for once more since."""
    _sending: set[asyncio.Future[None]] = field(default_factory=set)
    _closing: bool = False

    def on_reconnect(self, action: Callable[[], None]) -> None:
        """Call `action` whenever the connection was lost and is back."""
        self._on_reconnect.append(action)

    @property
    def is_connected(self) -> bool:
        """Say whether the broker can be reached right now."""
        return self.client.is_connected

    async def wake(self, subject: str) -> None:
        """Send an empty, fire-and-forget message; while the broker is away it is simply not sent.

        Of several within WAKE_SECONDS the first is sent at once and one more at the end: whoever is woken
        then sees what all of them meant.
        """
        if subject in self._wakes:
            self._wakes[subject] = True
            return
        self._rest(subject)
        await self._send_wake(subject)

    def _rest(self, subject: str) -> None:
        self._wakes[subject] = False
        asyncio.get_running_loop().call_later(WAKE_SECONDS, self._wake_again, subject)

    def wake_later(self, subject: str, seconds: float) -> None:
        """Do as `wake` does, after a while."""
        asyncio.get_running_loop().call_later(seconds, lambda: self._start(self.wake(subject)))

    def _wake_again(self, subject: str) -> None:
        if self._wakes.pop(subject):
            self._rest(subject)
            self._start(self._send_wake(subject))

    def _start(self, sending: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(sending)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_wake(self, subject: str) -> None:
        if self.client.is_connected:
            await self.client.publish(subject)

    async def lost(self) -> None:
        """Log that the connection is gone, unless we closed it: the client's library reports both alike."""
        if not self._closing:
            logger.warning("nats connection lost")

    async def restored(self) -> None:
        """Log that the connection is back, and tell who asked."""
        logger.info("nats connection restored")
        for action in self._on_reconnect:
            action()

    async def close(self) -> None:
        """Send what is buffered and close."""
        self._closing = True
        if self.client.is_connected:
            await self.client.flush(timeout=2)
        await self.client.close()


async def connect(address: NatsAddress, name: str) -> Bus:
    """Connect as `name`; lost connections are re-established for ever, and errors are logged."""

    async def on_error(error: Exception) -> None:
        if denied := _DENIED.search(str(error)):
            _denials.add(1, {"antiphon.user": address.user, "antiphon.operation": denied["operation"].lower()})
            told = {"user": address.user, "operation": denied["operation"].lower(), "subject": denied["subject"]}
            logger.error("the broker denied a subject", extra=told)
            return
        logger.error("nats error", extra={"error": f"{type(error).__name__}: {error}"})

    client = Client()
    bus = Bus(client, client.jetstream(timeout=PUBLISH_TIMEOUT))
    await client.connect(address.servers, **_options(address, name, on_error, bus.lost, bus.restored))
    return bus


def _options(
    address: NatsAddress,
    name: str,
    on_error: Callable[[Exception], Awaitable[None]],
    on_disconnect: Callable[[], Awaitable[None]],
    on_reconnect: Callable[[], Awaitable[None]],
) -> dict[str, Any]:  # Any: the client library's options are of many types
    """Return the options with which every connection of a service is made."""
    encrypted = {"tls": address.tls.context()} if address.tls else {}
    return {
        **encrypted,
        "name": name,
        "user": address.user,
        "password": address.password,
        "inbox_prefix": inbox_prefix(address.user).encode(),
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.25,
        "connect_timeout": 5,
        "ping_interval": 20,
        "max_outstanding_pings": 2,
        "error_cb": on_error,
        "disconnected_cb": on_disconnect,
        "reconnected_cb": on_reconnect,
    }
