"""The adapter for OpenAI's speech endpoint, against a server that speaks with eSpeak NG."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest
import pytest_asyncio
from aiohttp import web

from libs.speech.adapters.openai_http import OpenAiSpeechEngine, Server
from libs.speech.adapters.protocol import EngineBusy, EngineRefused, SpeechJob
from libs.speech.engine import EngineCrashed, EngineTimeout, EngineUnavailable
from tests.integration.speech.engine_server import (
    KEY,
    PCM_RATE,
    Misbehaviour,
    SpeechServer,
    error,
    speech_server,
    to_wav,
)
from tests.integration.speech.engine_suite import EngineSuite, check
from tests.support.polling import eventually

TEXT = "Dr. Smith paid twenty five dollars to us, and one of the men left."
JOB = SpeechJob(TEXT, "alloy")


@dataclass
class HttpBench:
    """Holds jobs in the server."""

    server: SpeechServer
    engine: OpenAiSpeechEngine
    job: SpeechJob = JOB
    differently: Mapping[str, SpeechJob] = field(
        default_factory=lambda: {
            "speed": SpeechJob(TEXT, "alloy", speed=1.5),
            "temperature": SpeechJob(TEXT, "alloy", parameters={"temperature": 0.2}),
        }
    )
    ignored: Mapping[str, float] = field(default_factory=lambda: {"top_k": 5, "repetition_penalty": 1.7})

    async def hold(self) -> None:
        self.server.may_finish.clear()

    def release(self) -> None:
        self.server.may_finish.set()

    def break_down(self) -> None:
        for request in self.server.running:
            assert request.transport is not None
            request.transport.abort()

    async def working(self) -> bool:
        return bool(self.server.running)


@pytest.fixture
async def server() -> AsyncIterator[SpeechServer]:
    async with speech_server() as serving:
        yield serving


def engine_of(
    server: SpeechServer,
    *,
    key: str = KEY,
    response_format: Literal["pcm", "wav"] = "pcm",
    timeout_seconds: float = 30.0,
    most_bytes: int = 1 << 24,
) -> OpenAiSpeechEngine:
    return OpenAiSpeechEngine(
        Server(
            url=f"{server.url}/v1",
            model="tts-1",
            key=key,
            response_format=response_format,
            voices=("alloy", "echo"),
            extras=frozenset({"temperature"}),
            timeout_seconds=timeout_seconds,
            most_bytes=most_bytes,
        )
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http_bench() -> AsyncIterator[HttpBench]:
    async with speech_server() as server:
        engine = engine_of(server)
        await engine.start()
        yield HttpBench(server, engine)
        await engine.close()


class TestOpenAi(EngineSuite):
    @pytest.fixture
    def bench(self, http_bench: HttpBench) -> HttpBench:
        return http_bench


@pytest.fixture
async def engine(server: SpeechServer) -> AsyncIterator[OpenAiSpeechEngine]:
    started = engine_of(server, most_bytes=1 << 20)
    await started.start()
    yield started
    await started.close()


async def test_wav_and_pcm_hold_the_same_speech(server: SpeechServer) -> None:
    spoken = []
    for response_format in ("pcm", "wav"):
        engine = engine_of(server, response_format="wav" if response_format == "wav" else "pcm")
        await engine.start()
        spoken.append(await engine.speak(JOB))
        await engine.close()
    assert spoken[0] == spoken[1]
    assert spoken[0].sample_rate == PCM_RATE


async def test_the_request_is_openais(server: SpeechServer, engine: OpenAiSpeechEngine) -> None:
    await engine.speak(SpeechJob("Hello.", "echo", speed=1.25, parameters={"temperature": 0.5, "top_k": 3}, seed=4))
    assert server.bodies == [
        {
            "model": "tts-1",
            "input": "Hello.",
            "voice": "echo",
            "response_format": "pcm",
            "speed": 1.25,
            "temperature": 0.5,
        }
    ]


async def test_a_refused_key_is_said_at_the_start(server: SpeechServer) -> None:
    engine = engine_of(server, key="sk-wrong")
    with pytest.raises(EngineUnavailable, match="ANTIPHON_OPENAI_SPEECH_KEY_FILE") as refused:
        await engine.start()
    assert "sk-" not in str(refused.value)
    assert not engine.ready
    with pytest.raises(EngineUnavailable, match="ANTIPHON_OPENAI_SPEECH_KEY_FILE"):
        await engine.speak(JOB)


async def test_a_server_that_is_not_there_is_said_at_the_start(server: SpeechServer) -> None:
    engine = OpenAiSpeechEngine(Server("http://127.0.0.1:9", "tts-1"))
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        await engine.start()
    assert engine.problem
    assert not engine.ready


async def test_what_the_server_refuses_is_refused_for_good_without_the_text(engine: OpenAiSpeechEngine) -> None:
    with pytest.raises(EngineRefused, match="400: no voice 'nobody' for '…'") as refused:
        await engine.speak(SpeechJob(TEXT, "nobody"))
    assert "Smith" not in str(refused.value)


async def broken_off(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "audio/pcm", "Content-Length": "100000"})
    await answer.prepare(request)
    await answer.write(bytes(1_000))
    assert request.transport is not None
    request.transport.close()
    return answer


async def broken_off_in_chunks(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
    await answer.prepare(request)
    await answer.write(bytes(1_000))
    assert request.transport is not None
    request.transport.close()
    return answer


async def broken_off_wav(_request: web.Request) -> web.Response:
    return web.Response(body=to_wav(bytes(10_000))[:-100], content_type="audio/wav")


async def half_a_sample(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(1_001), content_type="audio/pcm")


async def nothing(_request: web.Request) -> web.Response:
    return web.Response(content_type="audio/pcm")


async def hanging(_request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def trickling(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
    await answer.prepare(request)
    while True:
        await answer.write(bytes(2))
        await asyncio.sleep(0.05)


async def endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
    await answer.prepare(request)
    while True:
        await answer.write(bytes(1 << 16))


async def a_page(_request: web.Request) -> web.Response:
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


async def an_mp3(_request: web.Request) -> web.Response:
    return web.Response(body=b"ID3\4" + bytes(1_000), content_type="audio/mpeg")


async def elsewhere(_request: web.Request) -> web.Response:
    raise web.HTTPTemporaryRedirect("/v1/models")


async def overloaded(_request: web.Request) -> web.Response:
    return error(429, "slow down", Retry_After="3")


async def failing(_request: web.Request) -> web.Response:
    return web.Response(status=500, text="Traceback: Dr. Smith")


async def refusing_keys(_request: web.Request) -> web.Response:
    return error(401, f"Incorrect API key provided: {KEY}")


@pytest.mark.parametrize(
    ("misbehave", "kind", "said"),
    [
        (broken_off, EngineCrashed, "broke off"),
        (broken_off_in_chunks, EngineCrashed, "broke off"),
        (broken_off_wav, EngineCrashed, "broke off"),
        (half_a_sample, EngineCrashed, "broke off"),
        (nothing, EngineCrashed, "broke off"),
        (endless, EngineRefused, "more than 1 MiB"),
        (a_page, EngineRefused, "text/html, which is no audio"),
        (an_mp3, EngineRefused, "sent mp3: set ANTIPHON_OPENAI_SPEECH_FORMAT"),
        (elsewhere, EngineRefused, "answered 307; check ANTIPHON_OPENAI_SPEECH_URL"),
        (overloaded, EngineBusy, "answered 429: slow down"),
        (failing, EngineBusy, "answered 500$"),
        (refusing_keys, EngineRefused, r"refused the key \(401\): check ANTIPHON_OPENAI_SPEECH_KEY_FILE$"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_a_server_that_misbehaves_fails_the_job_and_not_the_next_one(
    server: SpeechServer, engine: OpenAiSpeechEngine, misbehave: Misbehaviour, kind: type[Exception], said: str
) -> None:
    server.misbehave = misbehave
    with pytest.raises(kind, match=said) as failure:
        await engine.speak(JOB)
    assert KEY not in str(failure.value)
    if isinstance(failure.value, EngineBusy):
        assert failure.value.retry_after_seconds == (3 if misbehave is overloaded else None)
    server.misbehave = None
    check(JOB, await engine.speak(JOB))


@pytest.mark.parametrize("misbehave", [hanging, trickling])
async def test_a_server_that_takes_too_long_fails_the_job(server: SpeechServer, misbehave: Misbehaviour) -> None:
    engine = engine_of(server, timeout_seconds=0.5)
    await engine.start()
    server.misbehave = misbehave
    with pytest.raises(EngineTimeout, match=r"within 0\.5 s"):
        await engine.speak(JOB)
    await engine.close()


async def test_no_more_requests_run_at_once_than_the_server_may_get(server: SpeechServer) -> None:
    engine = OpenAiSpeechEngine(Server(server.url, "tts-1", KEY, voices=("alloy",), concurrency=3))
    await engine.start()
    server.may_finish.clear()
    tasks = [asyncio.create_task(engine.speak(JOB)) for _ in range(10)]

    async def three() -> bool:
        return len(server.running) == 3

    await eventually(three, what="three requests")
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        assert len(server.running) == 3
        await asyncio.sleep(0.01)
    server.may_finish.set()
    assert len(await asyncio.gather(*tasks)) == 10
    await engine.close()
