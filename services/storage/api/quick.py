"""Small audio that was sent a moment ago, sent again without asking anybody.

It stands before the framework, which takes several times as long over such a request as all that is left to do.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from libs.web import IdentityVerifier, Unauthenticated
from libs.web.identity import HEADER
from libs.web.spans import leave_span
from services.storage.adapters.known_tracks import Headers, KnownTrack
from services.storage.domain.delivery import (
    CONDITIONS,
    PreconditionFailed,
    RangeNotSatisfiable,
    Selection,
    select_part,
)
from services.storage.usecases import Deps

_IDENTITY = HEADER.encode()
_CONDITIONS = frozenset(name.encode() for name in CONDITIONS)
_QUERIES = (b"", b"made=true")
"""With these the answer is the one without: what is known is made."""
_TRACK, _GENERATION = "/v1/tracks/{track_id}/audio", "/internal/generations/{generation_id}/audio"


class QuickAudio:
    """Answers a GET for audio whose row and bytes are at hand; leaves everything else to `app`."""

    def __init__(self, app: ASGIApp, deps: Deps, identity: IdentityVerifier) -> None:
        self._app = app
        self._deps = deps
        self._identity = identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if not (_is_for_audio(scope) and await self._answer(scope, send)):
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, send: Send) -> bool:
        token = b""
        conditions: dict[str, str] = {}
        for name, value in scope["headers"]:
            if name == _IDENTITY:
                token = token or value
            elif name in _CONDITIONS:
                said = value.decode("latin-1")
                key = name.decode()
                conditions[key] = f"{conditions[key]}, {said}" if key in conditions else said
        track = self._known(token, scope["path"])
        if track is None:
            return False
        content = self._deps.small.held(track.object_key)
        if content is None or len(content) != track.representation.size:
            return False
        try:
            selection = select_part(track.representation, "GET", conditions) if conditions else Selection()
        except (PreconditionFailed, RangeNotSatisfiable):
            return False
        status, headers, body = _answer_of(track, selection, content)
        leave_span(scope, _TRACK if scope["path"].startswith("/v1/") else _GENERATION, status)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return True

    def _known(self, token: bytes, path: str) -> KnownTrack | None:
        try:
            caller = self._identity.verify(token.decode("latin-1"))
        except Unauthenticated:
            # It is told so where everybody is.
            return None
        return self._deps.known.get(caller.org_id, path)


def _is_for_audio(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and scope["path"].endswith("/audio")
        and scope["query_string"] in _QUERIES
    )


def _answer_of(track: KnownTrack, selection: Selection, content: bytes) -> tuple[int, Headers, bytes]:
    """Return status, headers and body."""
    if selection.is_unchanged:
        return 304, track.unchanged_headers, b""
    part = selection.part
    if part is None:
        return 200, track.headers, content
    headers = [
        (name, str(part.length).encode() if name == b"content-length" else value) for name, value in track.headers
    ]
    headers.append((b"content-range", f"bytes {part.first}-{part.last}/{len(content)}".encode()))
    return 206, headers, content[part.first : part.last + 1]
