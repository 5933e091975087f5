"""A server with OpenAI's `/v1/audio/speech` that speaks with eSpeak NG, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from libs.speech.encoding import parse_output_format
from libs.speech.engine import RenderJob, VoiceProfile
from libs.speech.espeak import EspeakEngine

KEY = "sk-local-0123456789"
VOICES = {"alloy": "gmw/en-US", "echo": "gmw/en"}
PCM_RATE = 24_000

Misbehaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SpeechServer:
    """Made by `speech_server`."""

    def __init__(self, espeak: EspeakEngine) -> None:
        self._espeak = espeak
        self.url = ""
        self.may_finish = asyncio.Event()
        self.may_finish.set()
        self.running: list[web.Request] = []
        self.bodies: list[dict[str, Any]] = []  # JSON
        self.misbehave: Misbehaviour | None = None

    async def models(self, request: web.Request) -> web.Response:
        return self._refused_key(request) or web.json_response({"object": "list", "data": [{"id": "tts-1"}]})

    async def speech(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused_key(request):
            return refused
        if self.misbehave is not None:
            return await self.misbehave(request)
        body = await request.json()
        self.bodies.append(body)
        if body["voice"] not in VOICES:
            return error(400, f"no voice {body['voice']!r} for {body['input']!r}")
        self.running.append(request)
        try:
            await self.may_finish.wait()
            pcm = await self._speak(body)
        finally:
            self.running.remove(request)
        if body["response_format"] == "wav":
            return web.Response(body=to_wav(pcm), content_type="audio/wav")
        return await streamed(request, pcm)

    def _refused_key(self, request: web.Request) -> web.Response | None:
        return None if request.headers.get("Authorization") == f"Bearer {KEY}" else error(401, f"bad key {KEY}")

    async def _speak(self, body: dict[str, Any]) -> bytes:  # JSON
        voice = VoiceProfile(VOICES[body["voice"]], "en", pitch=round(50 * body.get("temperature", 1.0)))
        form = parse_output_format(f"pcm_{PCM_RATE}")
        job = RenderJob(body["input"], voice.to_settings(), form, speed=body["speed"], seed=body.get("seed", 0))
        return (await self._espeak.render(job)).segment


async def streamed(request: web.Request, pcm: bytes) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
    await answer.prepare(request)
    for at in range(0, len(pcm), 4_097):
        await answer.write(pcm[at : at + 4_097])
    await answer.write_eof()
    return answer


def error(status: int, message: str, **headers: str) -> web.Response:
    """In OpenAI's form."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    return web.json_response(body, status=status, headers={name.replace("_", "-"): headers[name] for name in headers})


def to_wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, PCM_RATE, 0, "NONE", ""))
        writer.writeframes(pcm)
    return file.getvalue()


@asynccontextmanager
async def speech_server() -> AsyncIterator[SpeechServer]:
    """Serve on a free port of the loopback."""
    espeak = EspeakEngine(2)
    await espeak.start()
    server = SpeechServer(espeak)
    app = web.Application()
    app.add_routes([web.get("/v1/models", server.models), web.post("/v1/audio/speech", server.speech)])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        server.may_finish.set()
        await runner.cleanup()
        await espeak.close()
