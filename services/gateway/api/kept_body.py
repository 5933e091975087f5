"""A request's body, read before anything is done so that it can be compared: a short one in memory, a long one not."""

from __future__ import annotations

import asyncio
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from starlette.types import Message, Receive

from services.gateway.domain.failures import BodyTooLarge, BodyTooSlow, ClientGone
from services.gateway.domain.idempotency import BodyHash
from services.gateway.domain.routes import MIB

IN_MEMORY_BYTES = 1 * MIB
PIECE_BYTES = 256 * 1024


class KeptBody:
    """A body in full; what is beyond IN_MEMORY_BYTES makes it a temporary file, which goes when the block ends."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed by __exit__
        self._left = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._file.close()

    async def read(self, receive: Receive, *, limit_bytes: int, seconds: float, content_type: str | None) -> bytes:
        """Take the body; return its hash. Raises BodyTooLarge, BodyTooSlow, ClientGone."""
        digest = BodyHash(content_type)
        try:
            async with asyncio.timeout(seconds):
                await self._take(receive, limit_bytes, digest)
        except TimeoutError as error:
            raise BodyTooSlow from error
        self._file.seek(0)
        return digest.digest()

    async def _take(self, receive: Receive, limit_bytes: int, digest: BodyHash) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece: bytes = message.get("body", b"")
            self._left += len(piece)
            if self._left > limit_bytes:
                raise BodyTooLarge(limit_bytes)
            digest.update(piece)
            self._file.write(piece)
            more = message.get("more_body", False)

    def next_message(self) -> Message:
        """Return the next part of the body, as the server would have; the last one says so."""
        piece = self._file.read(PIECE_BYTES)
        self._left -= len(piece)
        return {"type": "http.request", "body": piece, "more_body": self._left > 0}
