"""Content of objects, as large audio, which comes from the object store without a service on its way."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from libs.objectstore import ObjectStore
from libs.web import ObjectPart
from services.gateway.adapters.plain_http import Answer, ConnectionBroken, NoConnection, Pool

CONNECT_SECONDS = 2.0
IDLE_SECONDS = 10.0
PAUSE_SECONDS = 20.0


class NotSent(Exception):
    """The object store does not send what it was asked for; the service that named it knows what to say of it."""


class Objects:
    """Reads from one object store."""

    def __init__(self, store: ObjectStore, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Connects lazily; `close` when done. What is asked for is signed by `store`."""
        self._pause_seconds = pause_seconds
        self._store = store
        self._pool = Pool(store.endpoint, connect_seconds=CONNECT_SECONDS, idle_seconds=IDLE_SECONDS)

    async def get(self, part: ObjectPart) -> Answer:
        """Ask for content; return the answer when its head is there, and is what was asked for.

        Raises NotSent, and TimeoutError when nothing comes for `pause_seconds`.
        """
        signed = urlsplit(self._store.signed(part.key))
        headers = [] if part.byte_range is None else [("range", part.byte_range)]
        try:
            answer = await self._pool.get(f"{signed.path}?{signed.query}", headers, self._pause_seconds)
        except (ConnectionBroken, NoConnection) as error:
            raise NotSent from error
        wanted = HTTPStatus.OK if part.byte_range is None else HTTPStatus.PARTIAL_CONTENT
        if answer.status != wanted or answer.header(b"content-length") != str(part.length):
            answer.close()
            raise NotSent
        return answer

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.close()
