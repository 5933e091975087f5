"""GET /v1/events: events as they happen, as Server-Sent Events."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from libs.messaging.reading import StreamAway
from libs.web.described import answered, told
from libs.web.problems import UNAVAILABLE
from services.gateway.api.parts import CredentialOf, DepsOf
from services.gateway.api.problems import too_many_subscribers
from services.gateway.domain.access import Credential
from services.gateway.domain.failures import InvalidField
from services.gateway.domain.live import SUBSCRIBERS, TooManySubscribers
from services.gateway.domain.public_events import TYPES, UnknownType, Wanted, types_named
from services.gateway.usecases.live import Subscriptions
from services.gateway.usecases.subscriber import Subscriber

router = APIRouter(tags=["Events"])

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Proxies that would gather the answer before they pass it on heed this.
    (b"x-accel-buffering", b"no"),
]
LASTING = "x-antiphon-lasting"
"""In the document: an answer that ends only when the client goes away."""
MAX_ID_LENGTH = 200
_TYPES = "Types of events, separated by commas, or families such as `generation.*`; all without it."


class EventStream(Response):
    """An answer that goes on until the client goes away or the gateway ends it."""

    media_type = "text/event-stream"

    def __init__(
        self, subscriptions: Subscriptions, credential: Credential, wanted: Wanted, last_event_id: str | None
    ) -> None:
        super().__init__()
        self._subscriptions = subscriptions
        self._credential = credential
        self._wanted = wanted
        self._last_event_id = last_event_id

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Tell the client until it is gone. Raises TooManySubscribers, before the answer begins."""
        request = asyncio.current_task()
        assert request is not None
        was_cut = False

        async def write(piece: bytes, more: bool) -> None:
            await send({"type": "http.response.body", "body": piece, "more_body": more})

        def cut() -> None:
            nonlocal was_cut
            was_cut = True
            request.cancel()

        subscriber = Subscriber(self._credential, self._wanted, write, cut)
        # Before the first wait: those who came at the same time are counted, too, and a change of the key finds it.
        self._subscriptions.enter(subscriber)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._subscriptions.catch_up(subscriber, self._last_event_id)
            # The end of the answer ends this, too.
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not was_cut or request.uncancel() > 0:
                raise
        except (StreamAway, TimeoutError):
            # The answer ends here without an end, which closes the connection: the client comes back.
            return
        finally:
            self._subscriptions.leave(subscriber)


@router.get(
    "/v1/events",
    response_class=Response,
    responses={
        **answered(200, "The events, for as long as the client listens", content=["text/event-stream"]),
        **told(too_many_subscribers(TooManySubscribers(SUBSCRIBERS["free"])), UNAVAILABLE),
    },
    openapi_extra={LASTING: True},
)
async def stream_events(
    credential: CredentialOf,
    deps: DepsOf,
    types: Annotated[str | None, Query(max_length=2000, description=_TYPES)] = None,
    generation_id: Annotated[UUID | None, Query(description="Only events about this generation.")] = None,
    voice_id: Annotated[UUID | None, Query(description="Only events about this voice.")] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=MAX_ID_LENGTH, description="The `id` behind which to go on.")
    ] = None,
) -> Response:
    """Tell what happens in the organisation, as Server-Sent Events, until the client goes away."""
    wanted = Wanted(_types(types), generation_id, voice_id)
    await deps.subscriptions.until_ready(credential)
    return EventStream(deps.subscriptions, credential, wanted, last_event_id or None)


def _types(text: str | None) -> frozenset[str]:
    try:
        return types_named([one.strip() for one in text.split(",")] if text else [], TYPES)
    except UnknownType as error:
        raise InvalidField("types", str(error)) from error
