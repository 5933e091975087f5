"""Having a text spoken, and waiting until all of it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import aiohttp

from libs.ids import parse_id
from services.gateway.adapters.asking import Asking
from services.gateway.domain.failures import Refused
from services.gateway.domain.routes import WAIT_SECONDS

WAIT = (("prefer", "wait=60"),)
POLL_SECONDS = 1.0
HEARD_OF_SECONDS, HEARD_OF_POLL_SECONDS = 5.0, 0.05
PATIENCE_SECONDS = 600.0
"""How long a text may take that is waited for; 1,000,000 characters take the engines of one machine less."""

T = TypeVar("T")


async def speak(asking: Asking, document: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return the completed generation of `document`; raises Refused also when it fails or takes too long."""
    generation: dict[str, Any] = await _once_heard_of(asking, document, partial(_begin, asking, document))  # Any: JSON
    target = f"/v1/generations/{generation['id']}"
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while generation["status"] in ("pending", "processing"):
                await asyncio.sleep(POLL_SECONDS)
                generation = await asking.json("GET", "generation", target, template="/v1/generations/{generation_id}")
    except TimeoutError as error:
        raise _unspoken(504, "generation_unfinished", "It goes on and will be in the history.") from error
    if generation["status"] != "completed":
        failure: Mapping[str, Any] = generation["error"] or {}  # Any: JSON
        raise _unspoken(500, failure.get("code", "generation_canceled"), failure.get("message", "It was canceled."))
    return generation


async def _begin(asking: Asking, document: Mapping[str, Any]) -> Any:  # Any: JSON
    return await asking.json(
        "POST", "generation", "/v1/generations", document=document, headers=WAIT, answer_seconds=WAIT_SECONDS
    )


@asynccontextmanager
async def streamed(asking: Asking, target: str, document: Mapping[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
    """Ask the generation service for a stream of `document`, and yield it. Raises what `Asking.open` raises."""
    async with AsyncExitStack() as stack:

        async def begin() -> aiohttp.ClientResponse:
            opened = asking.open("POST", "generation", target, document=document, answer_seconds=WAIT_SECONDS)
            return await stack.enter_async_context(opened)

        yield await _once_heard_of(asking, document, begin)


async def _once_heard_of(
    asking: Asking,
    document: Mapping[str, Any],  # Any: JSON
    begin: Callable[[], Awaitable[T]],
) -> T:
    """Begin, again and again while the generation service has not heard yet of a voice that is there and ready.

    Clients make a voice and speak with it at once; it is told of the voice some milliseconds after they are.
    """
    deadline = asyncio.get_running_loop().time() + HEARD_OF_SECONDS
    while True:
        try:
            return await begin()
        except Refused as refusal:
            if not _is_of_unknown_voice(refusal) or asyncio.get_running_loop().time() > deadline:
                raise
            if not await _is_ready(asking, document["voice_id"]):
                raise
        await asyncio.sleep(HEARD_OF_POLL_SECONDS)


def _is_of_unknown_voice(refusal: Refused) -> bool:
    errors = refusal.extra.get("errors")
    return isinstance(errors, list) and any(one.get("code") == "unknown_voice" for one in errors)


async def _is_ready(asking: Asking, voice_id: str) -> bool:
    if parse_id(voice_id) is None:
        return False
    try:
        voice = await asking.json("GET", "voice", f"/v1/voices/{voice_id}", template="/v1/voices/{voice_id}")
    except Refused:
        return False
    return bool(voice["status"] == "ready")


def _unspoken(status: int, code: str, detail: str) -> Refused:
    return Refused(status=status, code=code, title="The text was not spoken", detail=detail, extra={}, headers={})
