"""How an object is sent: whole or in part, as it arrives from the object store."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import format_datetime

from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from libs.messaging import Unavailable
from libs.objectstore import ObjectStore, ObjectStoreUnavailable
from services.storage.domain.delivery import CONDITIONS, ByteRange, Representation, select_part


@dataclass(frozen=True, slots=True)
class File:
    """An object as it is sent: what it is, how long it may be kept, and under which name it is saved."""

    key: str
    representation: Representation
    content_type: str
    cache_control: str
    filename: str | None = None

    def headers(self) -> dict[str, str]:
        """Return what 200, 206 and 304 say of it."""
        return {
            "etag": self.representation.etag,
            "last-modified": format_datetime(self.representation.modified, usegmt=True),
            "cache-control": self.cache_control,
        }

    def content_headers(self, part: ByteRange | None) -> dict[str, str]:
        """Return what 200 and 206 say of its content."""
        size = self.representation.size
        headers = {
            "content-type": self.content_type,
            "content-length": str(part.length if part else size),
            "accept-ranges": "bytes",
            "x-content-type-options": "nosniff",
        }
        if part is not None:
            headers["content-range"] = f"bytes {part.first}-{part.last}/{size}"
        if self.filename is not None:
            headers["content-disposition"] = f'inline; filename="{self.filename}"'
        return headers


def send_file(request: Request, objects: ObjectStore, file: File) -> Response:
    """Answer a GET or HEAD for `file` with 200, 206 or 304; raises what is answered with 412 and 416."""
    conditions = {name: ", ".join(request.headers.getlist(name)) for name in CONDITIONS if name in request.headers}
    selection = select_part(file.representation, request.method, conditions)
    if selection.is_unchanged:
        return Response(status_code=304, headers=file.headers())
    if request.method == "HEAD":
        return Response(headers=file.headers() | file.content_headers(None))
    return _ObjectResponse(objects, file, selection.part)


class _ObjectResponse(StreamingResponse):
    """Passes an object on as it arrives, no faster than the client takes it.

    The object is opened here and not by the route, so that whatever ends the answer also ends the reading.
    """

    def __init__(self, objects: ObjectStore, file: File, part: ByteRange | None) -> None:
        self._objects = objects
        self._file = file
        self._part = part
        super().__init__((), 206 if part else 200, file.headers() | file.content_headers(part))

    async def stream_response(self, send: Send) -> None:
        conditions = {"range": f"bytes={self._part.first}-{self._part.last}"} if self._part else {}
        try:
            async with self._objects.open(self._file.key, conditions) as reader:
                if (reader.status, reader.headers.get("content-length")) != (
                    self.status_code,
                    self.headers["content-length"],
                ):
                    raise Unavailable("the object store sent another part than the one that was asked for")
                self.body_iterator = reader.chunks
                await super().stream_response(send)
        except ObjectStoreUnavailable as error:
            raise Unavailable(str(error)) from error
