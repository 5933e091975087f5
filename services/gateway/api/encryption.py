"""TLS towards clients."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import uvicorn


def tls_options(certificate: Path, key: Path) -> dict[str, object]:
    """Return what uvicorn needs to encrypt clients' connections; both files are PEM."""
    return {"ssl_certfile": certificate, "ssl_keyfile": key, "ssl_context_factory": _without_tickets}


def _without_tickets(_config: uvicorn.Config, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Send no session tickets: they come after the handshake, when clients already write.

    A client that reads in one thread and writes in another, as the blocking WebSocket of `websockets` does under the
    ElevenLabs package, shares one OpenSSL object between them. If it takes a ticket while it writes, it hangs: about
    one of 200 connections. What is given up is the shorter handshake of who comes back.
    """
    context = make()
    context.num_tickets = 0
    return context
