"""The HTTP API as a client sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from tests.support.polling import eventually
from tests.support.recordings import spoken_wav

EXAMINED_SECONDS = 240.0
"""A voice is matched in some seconds; several at once on few cores, while all else goes on, take longer."""


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

    async def ask(self, method: str, path: str | URL, **options: Any) -> Answer:  # Any: aiohttp's options
        """Send a request and read the whole answer."""
        assert self._session is not None
        async with self._session.request(method, path, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    def stream(self, path: str, **options: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Post a request whose answer is read while it comes."""
        assert self._session is not None
        return self._session.post(path, **options)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        return await self.ask("POST", path, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.ask("DELETE", path, **options)

    async def voices(self) -> list[dict[str, Any]]:
        """All voices of the system: whatever a test makes of its own, the first of these stays the first."""
        answer = await self.get("/v1/voices", params={"limit": "100", "variant": "SYSTEM"})
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

    async def upload_voice(self, name: str) -> Answer:
        """Add a custom voice of a spoken recording, and wait until it can be spoken with; the answer to the form."""
        made = await self.add_voice(name, spoken_wav())
        if made.status == 201:
            await self.until_ready(made.json["id"])
        return made

    async def add_voice(self, name: str, content: bytes) -> Answer:
        """Send the form that makes a custom voice of one recording."""
        form = aiohttp.FormData()
        form.add_field("name", name)
        form.add_field("file", content, filename="sample.wav", content_type="audio/wav")
        return await self.post("/v1/voices", data=form)

    async def until_ready(self, voice_id: str, *, within: float = EXAMINED_SECONDS) -> dict[str, Any]:
        """Ask for a voice until its recordings are examined; fails unless they are good."""
        voice = await self.until_examined(voice_id, within=within)
        assert voice["status"] == "ready", voice["reasons"]
        return voice

    async def until_examined(self, voice_id: str, *, within: float = EXAMINED_SECONDS) -> dict[str, Any]:
        """Ask for a voice until it is ready or rejected; connection errors and 5xx are repeated."""

        async def examined() -> dict[str, Any] | None:
            try:
                answer = await self.get(f"/v1/voices/{voice_id}")
            except (aiohttp.ClientError, TimeoutError):
                return None
            assert answer.status == 200 or answer.status >= 500, (answer.status, answer.content)
            return answer.json if answer.status == 200 and answer.json["status"] != "processing" else None

        voice = await eventually(examined, within=within, every=0.1, what=f"the end of examining voice {voice_id}")
        assert voice is not None
        return voice

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
