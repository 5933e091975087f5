"""ElevenLabs' `stream-input`: a text that arrives in pieces over a WebSocket is heard while it still arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from libs.web import Problem
from services.gateway.adapters.asking import Asking
from services.gateway.adapters.services import Services
from services.gateway.api.asked import caller_of
from services.gateway.api.elevenlabs.errors import elevenlabs_error
from services.gateway.api.elevenlabs.speech import STREAM_LINES, lines_of
from services.gateway.api.sockets import Opening
from services.gateway.domain.access import Credential
from services.gateway.domain.credentials import bearer_token
from services.gateway.domain.elevenlabs import speech
from services.gateway.domain.elevenlabs.schedule import Buffer
from services.gateway.domain.elevenlabs.stream_input import (
    FINAL,
    INACTIVITY_MAX_SECONDS,
    INACTIVITY_SECONDS,
    Message,
    answer,
    read_message,
)
from services.gateway.domain.failures import InvalidField
from services.gateway.usecases.limiter import Limiter
from services.gateway.usecases.open_sockets import OpenSockets
from services.gateway.usecases.speaking import streamed
from services.gateway.usecases.voices import VoiceNames

KEY_SECONDS = 10.0
"""How long somebody who has shown no key may take for the first message."""
WAITING_PARTS = 8
"""Parts of a text that may wait to be spoken; then nothing more is read until one is."""
_POLICY_VIOLATION, _NORMAL = 1008, 1000


class _Silent(Exception):
    """Nothing came from the client for too long."""


class SocketQuery(BaseModel):
    """What the address says besides the voice."""

    model_config = ConfigDict(extra="ignore")

    output_format: str = Field(speech.DEFAULT_FORMAT, max_length=40)
    model_id: str | None = Field(None, max_length=100)
    language_code: str | None = Field(None, max_length=35)
    enable_logging: bool = True
    auto_mode: bool = False
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    inactivity_timeout: float = Field(INACTIVITY_SECONDS, gt=0, le=INACTIVITY_MAX_SECONDS)


class StreamInput:
    """Serves these WebSockets: one at a time part after part, each a generation that counts against the limits."""

    def __init__(self, services: Services, limiter: Limiter, voice_names: VoiceNames) -> None:
        self._services = services
        self._limiter = limiter
        self._voice_names = voice_names
        self._open = OpenSockets()

    async def __call__(self, opening: Opening, socket: WebSocket) -> None:
        """Accept a WebSocket, and serve it until one of the two ends it."""
        await socket.accept(headers=[(b"request-id", opening.request_id.encode())])
        try:
            await self._serve(opening, socket)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the client is told
            cause = _cause(error)
            if isinstance(cause, _Silent):
                said = "Nothing came in time; send a text, or a space to stay connected"
                await _end(socket, "input_timeout_exceeded", said)
            elif not isinstance(cause, WebSocketDisconnect):
                await _end_with(socket, opening.problem_of(cause))

    async def _serve(self, opening: Opening, socket: WebSocket) -> None:
        query = _query(socket)
        patience = query.inactivity_timeout if opening.credential else min(KEY_SECONDS, query.inactivity_timeout)
        first = await _receive(socket, patience)
        key = first.key or bearer_token(first.authorization)
        credential = opening.credential or await opening.admit(key)
        with self._open.counted(credential):
            await self._talk(opening, socket, query, first, key, credential)

    async def _talk(
        self,
        opening: Opening,
        socket: WebSocket,
        query: SocketQuery,
        first: Message,
        key: str | None,
        credential: Credential,
    ) -> None:
        asking = Asking(self._services, caller_of(credential), opening.request_id)
        voice_id = await self._voice_names.find(asking, opening.path.split("/")[-2])
        parts: asyncio.Queue[str | None] = asyncio.Queue(WAITING_PARTS)
        admit = partial(opening.admit, key)
        speaker = _Speaker(self._limiter, admit, asking, _fields(query, first), voice_id, query.output_format)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_listen(socket, first, query, parts))
            tasks.create_task(speaker.speak(parts, socket))
        await socket.send_text(orjson.dumps(FINAL).decode())
        await socket.close(_NORMAL)


class _Speaker:
    """Has the parts of one text spoken, one after another."""

    def __init__(
        self,
        limiter: Limiter,
        admit: Callable[[], Awaitable[Credential]],
        asking: Asking,
        fields: Mapping[str, Any],  # Any: JSON
        voice_id: str,
        output_format: str,
    ) -> None:
        self._limiter = limiter
        self._admit = admit
        self._asking = asking
        self._fields = fields
        self._voice_id = voice_id
        self._output_format = output_format

    async def speak(self, parts: asyncio.Queue[str | None], socket: WebSocket) -> None:
        """Speak what comes through `parts`, until None does."""
        while (text := await parts.get()) is not None:
            # A key that was revoked since, or has lost its scope, is refused within 2 s here as everywhere.
            admission = await self._limiter.admit(await self._admit())
            try:
                async for line in self._spoken(text):
                    message = answer(line["audio_base64"], line["alignment"])
                    await socket.send_text(orjson.dumps(message).decode())
            finally:
                self._limiter.release(admission)

    async def _spoken(self, text: str) -> AsyncIterator[dict[str, Any]]:  # Any: JSON
        spoken = speech.spoken_of({**self._fields, "text": text}, self._voice_id, self._output_format)
        follower = speech.Follower(text, spoken.script)
        async with streamed(self._asking, STREAM_LINES, spoken.document) as answered:
            try:
                async for line in lines_of(follower, answered):
                    yield line
            finally:
                if self._fields.get("enable_logging") is False:
                    target = f"/v1/generations/{answered.headers['generation-id']}"
                    await self._asking.json("DELETE", "generation", target, template="/v1/generations/{generation_id}")


def _query(socket: WebSocket) -> SocketQuery:
    try:
        return SocketQuery.model_validate(dict(socket.query_params))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidField(".".join(map(str, first["loc"])), first["msg"]) from error


def _fields(query: SocketQuery, first: Message) -> dict[str, Any]:  # Any: JSON
    named = query.model_dump(include={"model_id", "language_code", "seed", "enable_logging"}, exclude_none=True)
    return {**first.fields, **named}


async def _receive(socket: WebSocket, seconds: float) -> Message:
    try:
        async with asyncio.timeout(seconds):
            said = await socket.receive()
    except TimeoutError as error:
        raise _Silent from error
    if said["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(said.get("code", _NORMAL))
    return read_message(said.get("text") or said.get("bytes") or "")


async def _listen(socket: WebSocket, first: Message, query: SocketQuery, parts: asyncio.Queue[str | None]) -> None:
    """Hand what arrives on in parts that can be spoken, until the client says that it was all."""
    buffer = Buffer(first.schedule, by_sentence=query.auto_mode)
    message = first
    while message.text:
        for part in buffer.take(message.text, hurry=message.hurry, all_of_it=message.flush):
            await parts.put(part)
        message = await _receive(socket, query.inactivity_timeout)
    for part in buffer.take("", all_of_it=True):
        await parts.put(part)
    await parts.put(None)


def _cause(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _end_with(socket: WebSocket, problem: Problem) -> None:
    detail = orjson.loads(elevenlabs_error(problem, "").body)["detail"]
    await _end(socket, detail["status"], detail["message"])


async def _end(socket: WebSocket, error: str, message: str) -> None:
    """Say why, and close."""
    said = {"message": message, "error": error, "code": _POLICY_VIOLATION}
    try:
        await socket.send_text(orjson.dumps(said).decode())
        await socket.close(_POLICY_VIOLATION, reason=error[:100])
    except (WebSocketDisconnect, RuntimeError):
        # The client has closed it already, and does not hear why.
        return
