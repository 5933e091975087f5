"""Any server with OpenAI's `POST /v1/audio/speech`: OpenAI itself, and most self-hosted speech servers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import aiohttp

from libs.speech.adapters.openai_errors import failure_of
from libs.speech.adapters.protocol import EngineRefused, EngineVoice, Speech, SpeechJob
from libs.speech.adapters.wav import CutOff, NotWav, pcm_of_wav
from libs.speech.engine import EngineCrashed, EngineTimeout, EngineUnavailable, checked_text

LONGEST_TEXT = 4_096
"""Characters that OpenAI takes; other servers take what OpenAI does."""

PCM_RATE = 24_000
"""Hz of `response_format: pcm`, by OpenAI's documentation; a `rate` in the content type wins."""

OPENAI_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse")

_CONNECT_SECONDS = 10.0
_PROBE_SECONDS = 10.0
_PIECE = 1 << 16
_ERROR_BYTES = 1 << 14
_OTHER_FORMATS = {b"ID3": "mp3", b"\xff\xfb": "mp3", b"\xff\xf3": "mp3", b"fLaC": "flac", b"OggS": "ogg"}
_CUT_OFF = "the speech server's answer broke off before its end"


@dataclass(frozen=True, slots=True)
class Server:
    """A speech server: its base URL with or without /v1, and how to speak to it.

    `extras` are the names of `SpeechJob.parameters`, and perhaps "seed", that it takes as fields beside OpenAI's own.
    `voices` are those that it is known to have; others are passed on all the same. `concurrency` is how many requests
    it gets at a time, `timeout_seconds` what one may take in all, `most_bytes` what an answer may hold.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    response_format: Literal["pcm", "wav"] = "pcm"
    voices: Sequence[str] = OPENAI_VOICES
    extras: frozenset[str] = frozenset()
    concurrency: int = 8
    timeout_seconds: float = 120.0
    most_bytes: int = 128 << 20


class OpenAiSpeechEngine:
    """`PcmEngine` on a server. It gives no word times. Cancelling a call closes its connection."""

    name = "openai"
    version = ""
    languages = None
    longest_text = LONGEST_TEXT

    def __init__(self, server: Server) -> None:
        self._server = server
        self._base = server.url.rstrip("/").removesuffix("/v1")
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(server.concurrency)
        self._running: set[asyncio.Task[Speech]] = set()
        self.problem = ""

    @property
    def model(self) -> str:
        return self._server.model

    @property
    def honours(self) -> frozenset[str]:
        return self._server.extras | {"speed"}

    @property
    def ready(self) -> bool:
        """Whether `start` reached the server; whether it still answers shows with the next job."""
        return self._session is not None

    def voices(self) -> tuple[EngineVoice, ...]:
        return tuple(EngineVoice(name, None) for name in self._server.voices)

    async def start(self) -> None:
        """Ask the server for its models to see that it is there and takes the key. Raises EngineUnavailable."""
        if self._session is not None:
            return
        session = aiohttp.ClientSession(
            headers=self._headers(),
            connector=aiohttp.TCPConnector(limit=0),  # the turns limit it
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        )
        self.problem = await self._probe(session)
        if self.problem:
            await session.close()
            raise EngineUnavailable(self.problem)
        self._session = session

    async def speak(self, job: SpeechJob) -> Speech:
        """Speak one text. Raises TextNotSpeakable, EngineRefused, EngineBusy, EngineCrashed, EngineTimeout or
        EngineUnavailable.
        """
        checked_text(job.text, LONGEST_TEXT)
        # A task of its own, so that `close` can end it without ending the caller.
        task = asyncio.get_running_loop().create_task(self._speak(job))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if task.cancelled() and not (caller and caller.cancelling()):
                raise EngineUnavailable("the engine was closed while it spoke this text") from None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def close(self) -> None:
        session, self._session = self._session, None
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if session is not None:
            await session.close()

    def _headers(self) -> dict[str, str]:
        return {} if self._server.key is None else {"Authorization": f"Bearer {self._server.key}"}

    async def _probe(self, session: aiohttp.ClientSession) -> str:
        """Why the server cannot be used, or nothing; an answer of whatever kind but a refused key is good enough."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS), session.get(f"{self._base}/v1/models") as answer:
                if answer.status in (401, 403):
                    return f"the speech server refused the key ({answer.status}): check ANTIPHON_OPENAI_SPEECH_KEY_FILE"
                return ""
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            why = type(failure).__name__
            return f"the speech server at {self._base} cannot be reached ({why}): check ANTIPHON_OPENAI_SPEECH_URL"

    async def _speak(self, job: SpeechJob) -> Speech:
        async with self._turns:
            if self._session is None:
                raise EngineUnavailable(f"the engine is not running: {self.problem or 'call start() first'}")
            try:
                async with asyncio.timeout(self._server.timeout_seconds):
                    return await self._request(self._session, job)
            except TimeoutError:
                seconds = self._server.timeout_seconds
                raise EngineTimeout(f"the speech server did not finish this text within {seconds:g} s") from None
            except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError):
                raise EngineCrashed(_CUT_OFF) from None
            except (aiohttp.ClientError, OSError) as failure:
                why = type(failure).__name__
                raise EngineUnavailable(f"the speech server cannot be reached ({why}): is it running?") from None

    async def _request(self, session: aiohttp.ClientSession, job: SpeechJob) -> Speech:
        fields = self._applied(job)
        body = {
            "model": self._server.model,
            "input": job.text,
            "voice": job.voice or self._server.voices[0],
            "response_format": self._server.response_format,
            **fields,
        }
        # A redirect would take text and key to an address that nobody configured.
        async with session.post(f"{self._base}/v1/audio/speech", json=body, allow_redirects=False) as answer:
            if answer.status != 200:
                secrets = (job.text, self._server.key or "")
                raise failure_of(answer.status, answer.headers, await answer.content.read(_ERROR_BYTES), secrets)
            if not _may_be_audio(answer.content_type):
                raise EngineRefused(
                    f"the speech server answered with {answer.content_type}, which is no audio: check "
                    "ANTIPHON_OPENAI_SPEECH_URL"
                )
            audio = await self._read(answer)
            rate = answer.headers.get("Content-Type", "").partition("rate=")[2].partition(";")[0].strip()
        return Speech(*_pcm(audio, int(rate) if rate.isdecimal() else PCM_RATE), None, fields)

    def _applied(self, job: SpeechJob) -> Mapping[str, object]:
        """The fields of the request that the job sets and the server takes."""
        fields: dict[str, object] = {"speed": job.speed}
        fields |= {name: value for name, value in job.parameters.items() if name in self._server.extras}
        if job.seed is not None and "seed" in self._server.extras:
            fields["seed"] = job.seed
        return fields

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        audio = bytearray()
        async for piece in answer.content.iter_chunked(_PIECE):
            audio += piece
            if len(audio) > self._server.most_bytes:
                raise EngineRefused(
                    f"the speech server sent more than {self._server.most_bytes >> 20} MiB for this text: split it"
                )
        return bytes(audio)


def _may_be_audio(content_type: str) -> bool:
    return content_type.startswith("audio/") or content_type == "application/octet-stream"


def _pcm(audio: bytes, rate: int) -> tuple[bytes, int]:
    """PCM and its rate, from raw PCM at `rate` or a WAV file, by what the bytes are."""
    for magic, name in _OTHER_FORMATS.items():
        if audio.startswith(magic):
            raise EngineRefused(f"the speech server sent {name}: set ANTIPHON_OPENAI_SPEECH_FORMAT to what it can send")
    if not audio.startswith(b"RIFF"):
        if not audio or len(audio) % 2:
            raise EngineCrashed(_CUT_OFF)
        return audio, rate
    try:
        return pcm_of_wav(audio)
    except NotWav as failure:
        raise EngineRefused(f"the speech server sent audio that cannot be used: {failure}") from None
    except CutOff:
        raise EngineCrashed(_CUT_OFF) from None
