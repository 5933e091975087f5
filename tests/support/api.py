"""The HTTP API as a client sees it."""

from __future__ import annotations

import asyncio
import io
import math
import struct
import wave
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:  # Any: whatever the API answers
        import orjson

        return orjson.loads(self.content)


@dataclass
class Api:
    """Requests to a gateway with one key."""

    url: str
    api_key: str | None
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        self._session = aiohttp.ClientSession(
            self.url,
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=120),
        )
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def ask(self, method: str, path: str, **options: Any) -> Answer:  # Any: aiohttp's options
        """Send a request and read the whole answer."""
        assert self._session is not None
        async with self._session.request(method, path, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        return await self.ask("POST", path, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.ask("DELETE", path, **options)

    async def voices(self) -> list[dict[str, Any]]:
        """All voices of the first page, which is large enough for the system's."""
        answer = await self.get("/v1/voices", params={"limit": "100"})
        assert answer.status == 200, answer.content
        items: list[dict[str, Any]] = answer.json["items"]
        return items

    async def speak(self, text: str, voice_id: str, *, wait: int = 30, **fields: Any) -> dict[str, Any]:
        """Have a text spoken and wait for it."""
        answer = await self.post(
            "/v1/generations", json={"text": text, "voice_id": voice_id, **fields}, headers={"Prefer": f"wait={wait}"}
        )
        assert answer.status == 201, (answer.status, answer.content)
        generation: dict[str, Any] = answer.json
        return generation

    async def upload_voice(self, name: str, *, seconds: float = 11.0) -> Answer:
        """Add a custom voice from a tone of that length."""
        form = aiohttp.FormData()
        form.add_field("name", name)
        form.add_field("file", tone(seconds), filename="sample.wav", content_type="audio/wav")
        return await self.post("/v1/voices", data=form)

    async def until_completed(self, generation_id: str, *, within: float) -> dict[str, Any]:
        """Ask for a generation until it is finished; connection errors and 5xx are repeated."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        last: object = None
        while loop.time() < deadline:
            try:
                answer = await self.get(f"/v1/generations/{generation_id}")
                last = answer.content
                if answer.status == 200 and answer.json["status"] in ("completed", "failed"):
                    generation: dict[str, Any] = answer.json
                    return generation
            except (aiohttp.ClientError, TimeoutError) as error:
                last = error
            await asyncio.sleep(0.05)
        raise AssertionError(f"generation {generation_id} is not finished after {within} s: {last!r}")


def tone(seconds: float, *, rate: int = 16_000, hertz: float = 180.0) -> bytes:
    """A WAV file with a plain tone."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        step = 2 * math.pi * hertz / rate
        samples = (int(9000 * math.sin(step * number)) for number in range(int(seconds * rate)))
        writer.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()
