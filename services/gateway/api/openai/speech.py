"""OpenAI's `/v1/audio/speech`: text in, audio out while it is spoken."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Literal

import aiohttp
import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from libs.web import answered, asks, header
from services.gateway.adapters.asking import Asking
from services.gateway.api.parts import AskingOf, DepsOf
from services.gateway.domain.openai import speech
from services.gateway.domain.routes import WAIT_SECONDS
from services.gateway.usecases.deps import Deps

router = APIRouter()

DELTA_BYTES = 24 * 1024
"""Of audio in one event: 32 KiB in Base64."""


_STREAM = answered(
    200,
    "The audio, or events with it, while it is spoken",
    content=["audio/*", "text/event-stream"],
    headers={
        "Generation-Id": header("The generation's id.", "01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61"),
        "Antiphon-Ignored": header("What was sent and means nothing here.", "instructions"),
    },
)


class VoiceId(BaseModel):
    """A custom voice as OpenAI's clients name it."""

    id: str = Field(min_length=1, max_length=100)


class SpeechRequest(BaseModel):
    """What OpenAI's clients send. Fields that mean nothing here are ignored, and `Antiphon-Ignored` names them."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(min_length=1, max_length=100, examples=["tts-1"])
    input: str = Field(min_length=1, max_length=speech.INPUT_MAX_LENGTH, examples=["The sea was calm that night."])
    voice: Annotated[str, Field(min_length=1, max_length=200)] | VoiceId = Field(examples=["alloy"])
    response_format: speech.ResponseFormat = "mp3"
    speed: float | None = Field(None, ge=speech.SPEED_RANGE[0], le=speech.SPEED_RANGE[1], allow_inf_nan=False)
    stream_format: Literal["audio", "sse"] = "audio"
    language: str | None = Field(None, max_length=35)
    pitch: float | None = None
    volume: float | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None

    def ignored(self) -> list[str]:
        """Return the names of what has no meaning here."""
        return sorted(name for name in self.model_extra or {} if name.isascii() and name.isidentifier())

    def document(self, voice_id: str) -> dict[str, Any]:  # Any: JSON
        """Return the request to the generation service."""
        ours = ("speed", "language", "pitch", "volume", "seed", "temperature", "top_p", "top_k", "repetition_penalty")
        named = {name: getattr(self, name) for name in ours if getattr(self, name) is not None}
        engine = speech.engine_of(self.model)
        if engine is not None:
            named["model_id"] = engine
        return {"text": self.input, "voice_id": voice_id, "format": speech.FORMATS[self.response_format], **named}


@router.post(
    "/openai/v1/audio/speech",
    response_class=StreamingResponse,
    responses=_STREAM,
    openapi_extra=asks("generation POST /v1/generations/stream", "voice GET /v1/voices"),
)
@router.post("/v1/audio/speech", response_class=StreamingResponse, include_in_schema=False)
async def create_speech(wanted: SpeechRequest, asking: AskingOf, deps: DepsOf) -> Response:
    """Speak a text, with OpenAI's names for voices, models and formats; the audio comes while it is spoken."""
    document = wanted.document(await _voice_id(deps, asking, wanted.voice))
    opened = asking.open("POST", "generation", "/v1/generations/stream", document=document, answer_seconds=WAIT_SECONDS)
    answer = await opened.__aenter__()  # closed by whoever reads the audio
    headers = {"cache-control": "private, no-store"}
    for name in ("generation-id", "location"):
        if name in answer.headers:
            headers[name] = answer.headers[name]
    if wanted.ignored():
        headers["antiphon-ignored"] = ", ".join(wanted.ignored())
    if wanted.stream_format == "sse":
        events = _events(opened, answer, len(wanted.input))
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)
    media_type = speech.CONTENT_TYPES.get(wanted.response_format, answer.headers.get("content-type"))
    return StreamingResponse(_audio(opened, answer), media_type=media_type, headers=headers)


async def _voice_id(deps: Deps, asking: Asking, voice: str | VoiceId) -> str:
    if isinstance(voice, VoiceId):
        return voice.id
    return speech.VOICE_IDS.get(voice) or await deps.voice_names.find(asking, voice)


async def _audio(
    opened: AbstractAsyncContextManager[aiohttp.ClientResponse], answer: aiohttp.ClientResponse
) -> AsyncGenerator[bytes]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    finally:
        await opened.__aexit__(None, None, None)


async def _events(
    opened: AbstractAsyncContextManager[aiohttp.ClientResponse], answer: aiohttp.ClientResponse, characters: int
) -> AsyncIterator[bytes]:
    async for piece in _audio(opened, answer):
        for begin in range(0, len(piece), DELTA_BYTES):
            audio = base64.b64encode(piece[begin : begin + DELTA_BYTES]).decode()
            yield _event({"type": "speech.audio.delta", "audio": audio})
    # Their unit is tokens; what is metered here are characters.
    usage = {"input_tokens": characters, "output_tokens": 0, "total_tokens": characters}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(document: dict[str, object]) -> bytes:
    return b"event: " + str(document["type"]).encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"
