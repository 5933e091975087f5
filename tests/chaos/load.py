"""Clients that do what clients do, and repeat each request until it is answered."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp

from tests.support.api import Answer, Api
from tests.support.recordings import spoken_wav

CLIENTS = 6
PATIENCE = 180.0
"""Seconds for which a client repeats a request; no outage of a run is nearly as long."""
_PAUSE = 0.3
_SAID_BEFORE = 0.1
_ACTS = {"speak": 70, "speak and delete": 10, "delete": 6, "speak with a voice and delete it": 4, "read": 10}


@dataclass
class Load:
    """What has been asked, and what came of it."""

    api: Api
    voices: list[str]
    seed: int
    accepted: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    requests: int = 0
    repeats: int = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep all clients busy until `stopping`."""
        await asyncio.gather(*(self._client(number, stopping) for number in range(CLIENTS)))

    async def _client(self, number: int, stopping: asyncio.Event) -> None:
        source = random.Random(f"{self.seed}-{number}")
        mine: list[str] = []
        while not stopping.is_set():
            act = source.choices(list(_ACTS), weights=list(_ACTS.values()))[0]
            if act == "read":
                await self._ask("GET", source.choice(("/v1/voices", "/v1/usage", "/v1/generations")), expected=(200,))
            elif act == "delete" and mine:
                await self._delete(mine.pop(source.randrange(len(mine))))
            elif act == "speak with a voice and delete it":
                await self._use_voice(source)
            else:
                spoken = await self._speak(source, source.choice(self.voices))
                if act == "speak and delete":
                    await self._delete(spoken)
                else:
                    mine.append(spoken)

    async def _speak(self, source: random.Random, voice_id: str, *, is_new: bool = False) -> str:
        key = UUID(int=source.getrandbits(128)).hex
        # Of sixty sentences a text is spoken in pieces; now and then somebody says what was said before.
        count = source.choice((1, 1, 2, 12, 60))
        text = " ".join(f"Sentence {source.randrange(10**6)}." for _ in range(count))
        if source.random() < _SAID_BEFORE:
            text = f"This is number {source.randrange(5)} of what everybody says."
        wait = source.choice((0, 2))
        answer = await self._ask(
            "POST",
            "/v1/generations",
            expected=(201, 202),
            # What was cut off may still be done: then its repetition is to come later. And that a voice is there
            # reaches the service that speaks with it by an event, which may be held up.
            trouble=(409, 422) if is_new else (409,),
            json={"text": text, "voice_id": voice_id},
            headers={"Idempotency-Key": key} | ({"Prefer": f"wait={wait}"} if wait else {}),
        )
        generation_id = str(answer.json["id"])
        self.accepted.add(generation_id)
        return generation_id

    async def _delete(self, generation_id: str) -> None:
        # Asked again, it may be gone already.
        await self._ask("DELETE", f"/v1/generations/{generation_id}", expected=(204, 404))
        self.deleted.add(generation_id)

    async def _use_voice(self, source: random.Random) -> None:
        name = f"Chaos {source.getrandbits(64):x}"
        await self._ask("POST", "/v1/voices", expected=(201, 202, 409), voice=name)
        own: list[str] = []
        for status in ("processing", "ready"):
            listed = await self._ask("GET", "/v1/voices", expected=(200,), params={"query": name, "status": status})
            own += [item["id"] for item in listed.json["items"]]
        for voice_id in set(own):
            await self.api.until_ready(voice_id, within=PATIENCE)
            await self._speak(source, str(voice_id), is_new=True)
            await self._ask("DELETE", f"/v1/voices/{voice_id}", expected=(204, 404))

    async def _ask(
        self, method: str, path: str, *, expected: tuple[int, ...], trouble: tuple[int, ...] = (), **options: Any
    ) -> Answer:
        """Send a request until the answer is an expected one; anything else than trouble is a fault of ours."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        self.requests += 1
        last: object = None
        voice = options.pop("voice", None)
        while loop.time() < deadline:
            try:
                if voice is not None:
                    options["data"] = _sample(voice)
                answer = await self.api.ask(method, path, timeout=aiohttp.ClientTimeout(total=30), **options)
                last = (answer.status, answer.content[:300])
                if answer.status in expected:
                    return answer
                assert answer.status >= 500 or answer.status in trouble, f"{method} {path}: {last}"
            except (aiohttp.ClientError, TimeoutError) as error:
                last = error
            self.repeats += 1
            await asyncio.sleep(_PAUSE)
        raise AssertionError(f"{method} {path} was never answered: {last!r}")


def _sample(name: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("name", name)
    form.add_field("file", spoken_wav(), filename="sample.wav", content_type="audio/wav")
    return form
