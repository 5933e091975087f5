"""Clients of the measured servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.api import Api


@dataclass(frozen=True)
class Voice:
    """An everyday voice that speaks at an ordinary speed."""

    id: str
    name: str


async def everyday_voice(api: Api) -> Voice:
    """Return the first general American voice."""
    answer = await api.get("/v1/voices", params={"language": "en-US", "category": "GENERAL"})
    first = answer.json["items"][0]
    return Voice(str(first["id"]), str(first["name"]))


async def speak(api: Api, voice: Voice, text: str, **fields: Any) -> dict[str, Any]:  # Any: fields of the API's JSON
    """Have a text spoken and wait until it is stored; fails when it was not completed within the minute."""
    answer = await api.post(
        "/v1/generations", json={"text": text, "voice_id": voice.id, **fields}, headers={"Prefer": "wait=60"}
    )
    if answer.status != 201:
        raise RuntimeError(f"not completed: {answer.status} {answer.content[:300]!r}")
    generation: dict[str, Any] = answer.json
    return generation


async def speak_bare(api: Api, text: str) -> bytes:
    """Have a text spoken as WAV by the bare server."""
    answer = await api.post("/", json={"text": text, "format": "wav"})
    if answer.status != 200:
        raise RuntimeError(f"the bare server answered {answer.status}")
    return answer.content


async def timed(one: Awaitable[object]) -> float:
    """Return how many seconds something took."""
    begun = time.perf_counter()
    await one
    return time.perf_counter() - begun


async def rate(ask: Callable[[str], Awaitable[object]], texts: Sequence[str], concurrency: int) -> float:
    """Return the requests a second when all texts are asked for, `concurrency` at a time."""
    waiting = iter(texts)

    async def client() -> None:
        for text in waiting:
            await ask(text)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    return len(texts) / (time.perf_counter() - begun)
