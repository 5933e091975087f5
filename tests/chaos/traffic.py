"""Steady traffic of every kind through the gateway, by clients that repeat a failed request once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import aiohttp

from tests.support.api import Answer, Api
from tests.support.polling import eventually

PAUSE_SECONDS = 3.0
"""Before a request is repeated that nobody answered; an answer says itself how long to wait."""


@dataclass(frozen=True)
class Failure:
    """A request that failed, its repetition too, with how both ended."""

    request: str
    first: str
    second: str


@dataclass
class Traffic:
    """What has been asked and answered so far."""

    api: Api
    voice_id: str
    mark: str = field(default_factory=lambda: uuid4().hex[:8])
    """What no other traffic says: equal texts share their audio, and then nothing is to be spoken."""
    accepted: list[str] = field(default_factory=list)
    sent: int = 0
    repeated: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, number: int) -> None:
        """Send the request of this number: every second one is for speech, the others read."""
        kinds: list[Callable[[], Any]] = [self._list, self._read, self._listen, self._search, self._usage, self._voices]
        if number % 2 == 0:
            await self.speak(f"Sentence number {number} of {self.mark}.", wait=2 if number % 4 == 0 else 0)
        else:
            await kinds[number // 2 % len(kinds)]()

    async def speak(self, text: str, *, wait: int = 0) -> Answer | None:
        """Ask for speech under an idempotency key, so that it may be repeated; remember what was accepted."""
        headers = {"Idempotency-Key": uuid4().hex} | ({"Prefer": f"wait={wait}"} if wait else {})
        body = {"text": text, "voice_id": self.voice_id}
        answer = await self.ask("POST", "/v1/generations", expected=(201, 202), json=body, headers=headers)
        if answer is not None:
            self.accepted.append(str(answer.json["id"]))
        return answer

    async def ask(self, method: str, path: str, *, expected: tuple[int, ...] = (200,), **options: Any) -> Answer | None:
        """Send a request, a second time if need be; None, and a failure noted, when that does not help either."""
        self.sent += 1
        first, pause, answer = await self._try(method, path, expected, options)
        if answer is not None:
            return answer
        self.repeated.append(f"{method} {path}: {first}")
        await asyncio.sleep(pause)
        second, _, answer = await self._try(method, path, expected, options)
        if answer is None:
            self.failures.append(Failure(f"{method} {path}", first, second))
        return answer

    async def _try(
        self, method: str, path: str, expected: tuple[int, ...], options: dict[str, Any]
    ) -> tuple[str, float, Answer | None]:
        try:
            answer = await self.api.ask(method, path, **options)
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"{type(error).__name__}: {error}", PAUSE_SECONDS, None
        if answer.status in expected:
            return "", 0.0, answer
        return f"{answer.status} {answer.content!r}", float(answer.headers.get("Retry-After", PAUSE_SECONDS)), None

    async def _list(self) -> None:
        await self.ask("GET", "/v1/generations")

    async def _read(self) -> None:
        if self.accepted:
            await self.ask("GET", f"/v1/generations/{self.accepted[0]}")

    async def _listen(self) -> None:
        if self.accepted:
            # The first one was finished before the trouble began.
            await self.ask("GET", f"/v1/generations/{self.accepted[0]}/audio")

    async def _search(self) -> None:
        await self.ask("POST", "/v1/search", json={"query": "a sentence"})

    async def _usage(self) -> None:
        await self.ask("GET", "/v1/usage")

    async def _voices(self) -> None:
        await self.ask("GET", "/v1/voices")

    async def run(self, per_second: float, stopping: asyncio.Event) -> None:
        """Send requests at a constant rate, however long their answers take, until `stopping`; then await those."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in count():
            if stopping.is_set():
                break
            task = asyncio.create_task(self.send(number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), max(0.0, began + (number + 1) / per_second - loop.time()))
        if self._tasks:
            await asyncio.gather(*self._tasks)


@asynccontextmanager
async def steady_traffic(api: Api, *, per_second: float) -> AsyncIterator[Traffic]:
    """Send traffic while the block runs; at its end, all that was sent has been answered."""
    first = await api.speak(f"The first sentence, spoken in peace: {uuid4().hex[:8]}.", (await api.voices())[0]["id"])
    traffic = Traffic(api, str(first["voice_id"]), accepted=[str(first["id"])])
    stopping = asyncio.Event()
    task = asyncio.create_task(traffic.run(per_second, stopping))
    try:
        yield traffic
    finally:
        stopping.set()
        await task


async def more_accepted(traffic: Traffic, number: int) -> None:
    """Wait until so many more generations have been accepted."""
    wanted = len(traffic.accepted) + number

    async def are_accepted() -> bool:
        return len(traffic.accepted) >= wanted

    await eventually(are_accepted, within=60, what=f"{number} more generations")
