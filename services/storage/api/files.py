"""How an object is sent: whole or in part, as it arrives from the object store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Literal

from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from libs.messaging import Unavailable
from libs.objectstore import ObjectStore, ObjectStoreUnavailable
from libs.web import TAKES_OBJECTS_HEADER, Caller, ObjectPart, object_handover
from services.storage.adapters.known_tracks import Headers, KnownTrack
from services.storage.api.parts import PRIVATE
from services.storage.domain.audio import Track
from services.storage.domain.delivery import CONDITIONS, ByteRange, Representation, Selection, select_part
from services.storage.usecases import Deps


@dataclass(frozen=True, slots=True)
class File:
    """An object as it is sent: what it is, how long it may be kept, and under which name it is saved."""

    key: str
    representation: Representation
    content_type: str
    cache_control: str
    filename: str | None = None
    disposition: Literal["inline", "attachment"] = "inline"
    is_immutable: bool = False
    """Whether what lies under the key never changes, so that a copy in memory will do."""

    @classmethod
    def of_track(cls, track: Track, cache_control: str) -> File:
        """Return the audio of a track as a file."""
        return cls(
            key=track.object_key,
            representation=track.representation,
            content_type=track.content_type,
            cache_control=cache_control,
            filename=track.filename,
            is_immutable=True,
        )

    def stored_headers(self) -> dict[str, str]:
        """Return what the object store is to say of it where it sends it itself, which it cannot know."""
        return {
            "cache-control": self.cache_control,
            "content-disposition": f'{self.disposition}; filename="{self.filename}"',
            "content-type": self.content_type,
        }

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
            headers["content-disposition"] = f'{self.disposition}; filename="{self.filename}"'
        return headers


def _selection(request: Request, file: File) -> Selection:
    conditions = {name: ", ".join(request.headers.getlist(name)) for name in CONDITIONS if name in request.headers}
    return select_part(file.representation, request.method, conditions)


def is_sent(request: Request, file: File) -> bool:
    """Say whether a request is to be answered with the file or a part of it; raises as `send_file`."""
    return request.method == "GET" and not _selection(request, file).is_unchanged


async def send_file(request: Request, deps: Deps, file: File) -> Response:
    """Answer a GET or HEAD for `file` with 200, 206 or 304; raises what is answered with 412 and 416.

    What is small and never changes comes from memory; the content of all else the gateway gets by itself.
    """
    selection = _selection(request, file)
    if selection.is_unchanged:
        return Response(status_code=304, headers=file.headers())
    if request.method == "HEAD":
        return Response(headers=file.headers() | file.content_headers(None))
    if file.is_immutable and file.representation.size <= deps.small_bytes:
        content = await _small(deps, file)
        part = selection.part
        return Response(
            content[part.first : part.last + 1] if part else content,
            206 if part else 200,
            headers=file.headers() | file.content_headers(part),
        )
    if TAKES_OBJECTS_HEADER in request.headers:
        return _handed_over(file, selection.part)
    return _ObjectResponse(deps.objects, file, selection.part)


async def send_track(request: Request, deps: Deps, caller: Caller, track: Track, state: int) -> Response:
    """Send the audio of a track as `send_file` does; what is small is known from then on, for a moment.

    `state` is what `deps.known` had before the track was looked for.
    """
    file = File.of_track(track, PRIVATE)
    response = await send_file(request, deps, file)
    if request.method == "GET" and file.representation.size <= deps.small_bytes:
        known = KnownTrack(
            object_key=file.key,
            representation=file.representation,
            headers=_raw(file.headers() | file.content_headers(None)),
            unchanged_headers=_raw(file.headers()),
        )
        deps.known.keep(caller.org_id, request.scope["path"], known, of=track.generation_id, state=state)
    return response


def _raw(headers: Mapping[str, str]) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def _small(deps: Deps, file: File) -> bytes:
    content = await deps.small.get(file.key, lambda: deps.objects.get(file.key))
    if len(content) != file.representation.size:
        deps.small.forget(file.key)
        raise Unavailable("the object store sent another object than the one that was asked for")
    return content


def _handed_over(file: File, part: ByteRange | None) -> Response:
    headers = file.headers() | file.content_headers(part)
    if part is None:
        return object_handover(200, headers, ObjectPart(file.key, file.representation.size))
    return object_handover(206, headers, ObjectPart(file.key, part.length, part.first))


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
