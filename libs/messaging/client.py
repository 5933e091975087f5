"""The NATS client without what costs it most: a look at every character of a header, one expression a line.

Reading the ten headers of an event took longer than decoding it, and writing them longer than the rest of its
publication (`make bench SUITE=backbone` prints what is left). Everything else is the client library's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nats import errors
from nats.aio.client import Client as LibraryClient

_VERSION = "NATS/1.0\r\n"


def encode_headers(headers: Mapping[str, str]) -> bytes:
    """Return the block of headers as it goes over the wire.

    Names and values must hold no line break: raises BadHeaderError for them, as they would end the header.
    """
    block = "\r\n".join([f"{name}: {value}" for name, value in headers.items()])
    if block.count("\n") != len(headers) - 1 or block.count("\r") != len(headers) - 1:
        raise errors.BadHeaderError("a header holds a line break")
    return f"{_VERSION}{block}\r\n\r\n".encode()


class Client(LibraryClient):
    """One connection to the broker."""

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """Read `name: value` lines; what is no UTF-8 is replaced, as the library does."""
        headers: dict[str, str] = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip()] = value.strip()
        return headers

    async def publish_encoded(self, subject: str, payload: bytes, headers: bytes) -> None:
        """Publish with a block of headers that `encode_headers` made; never buffers for a broker that is away.

        Raises ConnectionReconnectingError then, and MaxPayloadError for what no broker of ours takes.
        """
        if not self.is_connected:
            raise errors.ConnectionReconnectingError
        if len(headers) + len(payload) > self.max_payload:
            raise errors.MaxPayloadError
        size = len(headers)
        line = f"HPUB {subject} {size} {size + len(payload)}\r\n".encode()
        await self._send(b"".join((line, headers, payload, b"\r\n")))

    async def acknowledge(self, replies: Iterable[str]) -> None:
        """Acknowledge deliveries by their reply subjects, in one write."""
        if not self.is_connected:
            raise errors.ConnectionReconnectingError
        await self._send("".join(f"PUB {reply} 0\r\n\r\n" for reply in replies).encode())

    async def _send(self, command: bytes) -> None:
        await self._send_command(command)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()
