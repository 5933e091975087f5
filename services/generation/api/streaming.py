"""Speech that leaves while later sentences are still being spoken."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from libs.speech.encoding import parse_output_format
from libs.web import Caller, CallerOf, Once, OnceOf, PathId, told
from services.generation.api import answers
from services.generation.api.parts import DepsOf
from services.generation.api.parts import generation_id as as_id
from services.generation.api.views import NewGeneration
from services.generation.domain import errors, requests
from services.generation.usecases import Deps, choosing, ending, requesting, streaming

logger = logging.getLogger(__name__)
router = APIRouter()

LINE_AUDIO_BYTES = 48 * 1024
"""64 KiB in Base64."""

CancelOf = Annotated[
    bool,
    Query(
        description="Whether a client that goes away cancels what is not spoken yet; else it is stored all the same."
    ),
]


@router.post(
    "/v1/generations/stream",
    response_class=StreamingResponse,
    responses=answers.STREAM | told(*answers.REFUSED, *answers.UNSPOKEN),
)
async def stream_generation(
    new: NewGeneration,
    caller: CallerOf,
    deps: DepsOf,
    once: OnceOf,
    cancel_on_disconnect: CancelOf = False,
) -> StreamingResponse:
    """Ask for speech and hear it while it is spoken. The generation, in `Generation-Id`, is stored as any other."""
    generation = await _request(deps, caller, new, once)
    parts = await _begun(streaming.follow(deps, caller, generation))
    content = _bytes(parts)
    return _response(
        deps, caller, generation, content, parse_output_format(generation.format).content_type, cancel_on_disconnect
    )


@router.post(
    "/v1/generations/stream/with-timestamps",
    response_class=StreamingResponse,
    responses=answers.LINES | told(*answers.REFUSED, *answers.UNSPOKEN),
)
async def stream_with_timestamps(
    new: NewGeneration,
    caller: CallerOf,
    deps: DepsOf,
    once: OnceOf,
    cancel_on_disconnect: CancelOf = False,
) -> StreamingResponse:
    """The same as lines of JSON: `audio_base64`, and the alignment of the characters that are heard in it."""
    generation = await _request(deps, caller, new, once)
    parts = await _begun(streaming.follow(deps, caller, generation))
    return _response(deps, caller, generation, _lines(parts), "application/x-ndjson", cancel_on_disconnect)


@router.get(
    "/v1/generations/{generation_id}/audio/partial",
    response_class=StreamingResponse,
    responses=answers.STREAM | told(*answers.NO_AUDIO),
)
async def follow_generation(generation_id: PathId, caller: CallerOf, deps: DepsOf) -> StreamingResponse:
    """Hear a generation from its beginning while it is spoken, such as a job that goes on for long."""
    generation = await requesting.get_generation(deps, caller, as_id(generation_id))
    if generation.rendition_id is None:
        raise errors.GenerationUnfinished
    parts = await _begun(streaming.follow(deps, caller, generation))
    content_type = parse_output_format(generation.format).content_type
    return _response(deps, caller, generation, _bytes(parts), content_type, cancel_on_disconnect=False)


async def _request(deps: Deps, caller: Caller, new: NewGeneration, once: Once | None) -> requests.Generation:
    versions = await choosing.resolve_dictionaries(deps, caller, new.named_dictionaries())
    return await requesting.request_generation(deps, caller, new.to_request(versions), once, is_streamed=True)


async def _begun(parts: AsyncIterator[streaming.Part]) -> AsyncGenerator[streaming.Part]:
    """Wait for the first part: what fails before that is answered as a failure."""
    first = await anext(parts)
    return _with(first, parts)


async def _with(first: streaming.Part, parts: AsyncIterator[streaming.Part]) -> AsyncGenerator[streaming.Part]:
    yield first
    async for part in parts:
        yield part


async def _bytes(parts: AsyncGenerator[streaming.Part]) -> AsyncGenerator[bytes]:
    async for part in parts:
        if part.audio:
            yield part.audio


async def _lines(parts: AsyncGenerator[streaming.Part]) -> AsyncGenerator[bytes]:
    async for part in parts:
        if not part.audio and not part.text:
            continue
        alignment = None
        if part.text:
            characters = list(part.text)
            alignment = {"characters": characters, "start_times": list(part.starts), "end_times": list(part.ends)}
        # Lines stay short enough for clients that read them with a bounded buffer.
        for begin in range(0, max(len(part.audio), 1), LINE_AUDIO_BYTES):
            audio = part.audio[begin : begin + LINE_AUDIO_BYTES]
            line = {"audio_base64": base64.b64encode(audio).decode(), "alignment": alignment}
            yield orjson.dumps(line) + b"\n"
            alignment = None


def _response(
    deps: Deps,
    caller: Caller,
    generation: requests.Generation,
    content: AsyncGenerator[bytes],
    content_type: str,
    cancel_on_disconnect: bool,
) -> StreamingResponse:
    headers = {
        "generation-id": str(generation.id),
        "location": f"/v1/generations/{generation.id}",
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
    }
    watched = _watched(deps, caller, generation, content) if cancel_on_disconnect else content
    return StreamingResponse(watched, media_type=content_type, headers=headers)


async def _watched(
    deps: Deps, caller: Caller, generation: requests.Generation, content: AsyncGenerator[bytes]
) -> AsyncGenerator[bytes]:
    """Pass a stream on; when nobody reads it any more, what is not spoken yet is not wanted any more."""
    done = False
    try:
        async for piece in content:
            yield piece
        done = True
    finally:
        if not done:
            await asyncio.shield(asyncio.ensure_future(_cancel(deps, caller, generation)))


async def _cancel(deps: Deps, caller: Caller, generation: requests.Generation) -> None:
    try:
        await ending.cancel_generation(deps, caller, generation.id)
    except (errors.WrongState, errors.GenerationNotFound):
        logger.info("a stream ended early that needed no cancelling", extra={"generation_id": str(generation.id)})
