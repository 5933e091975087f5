"""HTTP/1.1 as every process takes it: a request whose end could be seen in two places is none."""

from __future__ import annotations

import asyncio
import binascii

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_KEY_BYTES = 16
WRITE_HIGH, WRITE_LOW = 256 * 1024, 192 * 1024
"""Between these many bytes that wait for the client an answer stops and goes on.

Audio comes in pieces of that size: with less, each of them would wait until the one before is gone.
"""


class StrictHttpProtocol(HttpToolsProtocol):
    """uvicorn's own, which refuses before the application is asked what the parser would refuse only behind the head.

    The parser itself takes no two lengths, no length beside a transfer coding, no folded lines and no bare line feeds.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's is
        """Set how much of an answer may wait for the client."""
        transport.set_write_buffer_limits(WRITE_HIGH, WRITE_LOW)
        super().connection_made(transport)

    def on_headers_complete(self) -> None:
        """Refuse every transfer coding but chunked, and that in HTTP/1.0, which has none."""
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        if codings and (codings[0].strip().lower() != b"chunked" or self.parser.get_http_version() == "1.0"):
            raise ValueError("a transfer coding that is not chunked")  # becomes a 400
        super().on_headers_complete()

    def _should_upgrade(self) -> bool:
        # A handshake that is refused only by the WebSocket's protocol leaves its connection there until the process
        # ends, which then fails: what is no handshake is an ordinary request.
        return super()._should_upgrade() and self._is_handshake()

    def _is_handshake(self) -> bool:
        if self.parser.get_method() != b"GET" or self.parser.get_http_version() != "1.1":
            return False
        values: dict[bytes, list[bytes]] = {}
        for name, value in self.headers:
            values.setdefault(name, []).append(value)
        keys = values.get(b"sec-websocket-key", [])
        if len(keys) != 1 or values.get(b"sec-websocket-version") != [b"13"] or b"content-length" in values:
            return False
        try:
            return len(binascii.a2b_base64(keys[0], strict_mode=True)) == _KEY_BYTES
        except ValueError:
            return False
