"""Clients that leave something with the system, or fetch it, and judge every answer that they get."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from tests.support.api import Answer, Api
from tests.support.media import tone
from tests.support.recordings import spoken_wav
from tests.support.uploads import announced, put

PATIENCE_SECONDS = 180.0
"""For how long a client repeats a request; no outage of a test is nearly as long."""
PAUSE_SECONDS = 1.0
"""Between two requests of a client, and before what the object store itself has refused is sent again."""
SPEAKERS = 3
"""So many more of the kind of client of which there are most."""
LONG_SENTENCES = 40
"""So many are spoken in pieces."""
LONG_PAUSE_SECONDS = 4.0

Act = Callable[[int], Awaitable[None]]


@dataclass
class Deposits:
    """What was asked for, what was said to be there, and which answers were not honest."""

    api: Api
    voice_id: str
    mark: str = field(default_factory=lambda: uuid4().hex[:8])
    accepted: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    voices: set[str] = field(default_factory=set)
    media: dict[str, bytes] = field(default_factory=dict)
    """Contents by the ids of what was said to be kept."""
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict)
    """The SHA-256 of audio that was heard in peace, by its path."""

    async def prepare(self) -> None:
        """Have one short and one long recording made, in peace, and hear them."""
        for text, form in (("A short one", "mp3"), ("A long one, and longer. " * 20, "wav")):
            made = await self.api.speak(f"{text} {self.mark}.", self.voice_id, format=form)
            self.accepted.add(str(made["id"]))
            path = f"/v1/generations/{made['id']}/audio"
            answer = await self.api.get(path)
            assert answer.status == 200, answer.content
            self._known[path] = hashlib.sha256(answer.content).hexdigest()

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep every kind of client busy until `stopping`; all that was begun is done when this returns."""
        acts = self._acts()
        async with asyncio.TaskGroup() as group:
            for act in (*acts, *SPEAKERS * (self._speak,)):
                group.create_task(self._repeat(act, stopping))

    def _acts(self) -> tuple[Act, ...]:
        return (
            self._speak,
            self._speak_at_length,
            self._speak_and_delete,
            self._upload,
            self._listen,
            self._use_nothing_of_it,
        )

    def served(self) -> list[int]:
        """How often each kind of client was served."""
        return [self.done[act.__name__] for act in self._acts()]

    async def _repeat(self, act: Act, stopping: asyncio.Event) -> None:
        for number in count():
            if stopping.is_set():
                return
            await act(number)
            self.done[act.__name__] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def _speak(self, number: int) -> None:
        await self._ask_for_speech(f"Sentence {number} of {uuid4().hex[:8]}.", wait=2 * (number % 2))

    async def _speak_at_length(self, number: int) -> None:
        words = uuid4().hex[:8]
        text = " ".join(f"Sentence {number} {at} of {words}." for at in range(LONG_SENTENCES))
        await self._ask_for_speech(text, wait=0)
        await asyncio.sleep(LONG_PAUSE_SECONDS)

    async def _speak_and_delete(self, number: int) -> None:
        spoken = await self._ask_for_speech(f"Sentence {number} of {uuid4().hex[:8]}, unwanted.", wait=2 * (number % 2))
        await self._ask("DELETE", f"/v1/generations/{spoken}", expected=(204,))
        self.deleted.add(spoken)

    async def _ask_for_speech(self, text: str, *, wait: int) -> str:
        headers = {"Idempotency-Key": uuid4().hex} | ({"Prefer": f"wait={wait}"} if wait else {})
        body = {"text": text, "voice_id": self.voice_id}
        answer = await self._ask("POST", "/v1/generations", expected=(201, 202), json=body, headers=headers)
        generation_id = str(answer.json["id"])
        self.accepted.add(generation_id)
        return generation_id

    async def _upload(self, number: int) -> None:
        content = tone(seconds=0.2 + 0.01 * (number % 50)) + uuid4().bytes
        headers = {"Idempotency-Key": uuid4().hex}
        opened = await self._ask("POST", "/v1/uploads", expected=(201,), json=announced(content), headers=headers)
        await self._send(opened.json, content)
        done = await self._ask("POST", f"/v1/uploads/{opened.json['id']}/complete", expected=(200,))
        if done.json["sha256"] != hashlib.sha256(content).hexdigest():
            self.problems.append(f"media {done.json['id']} is not what was sent")
        self.media[done.json["id"]] = content

    async def _send(self, upload: Any, content: bytes) -> None:  # Any: JSON
        """Send a file to the object store itself, which says what it likes when it fails."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while loop.time() < deadline:
            try:
                if await put(upload, content) == 200:
                    return
            except aiohttp.ClientError:
                pass
            self.refused["PUT to the object store"] += 1
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError("the object store took nothing")

    async def add_voice(self) -> None:
        """Make a voice of a recording; it still has to be examined when this returns."""
        key = {"Idempotency-Key": uuid4().hex}
        answer = await self._ask("POST", "/v1/voices", expected=(201,), headers=key, form=f"Kept {uuid4().hex[:8]}")
        self.voices.add(str(answer.json["id"]))

    async def _listen(self, number: int) -> None:
        path, sha256 = list(self._known.items())[number % len(self._known)]
        answer = await self._ask("GET", path, expected=(200,))
        if hashlib.sha256(answer.content).hexdigest() != sha256:
            self.problems.append(f"{path} was answered with something else")

    async def _use_nothing_of_it(self, number: int) -> None:
        """What needs no object is not to suffer: these have to be answered at once, always."""
        paths = ("/v1/voices", "/v1/usage", "/v1/generations", "/v1/tracks", "/v1/media", "/v1/keys/current")
        path = paths[number % len(paths)]
        answer = await self.api.get(path)
        if answer.status != 200:
            self.problems.append(f"GET {path}, which needs no object: {answer.status} {answer.content!r}")

    async def _ask(self, method: str, path: str, *, expected: tuple[int, ...], **options: Any) -> Answer:
        """Send a request until it is done, as often and as late as the answers say."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        form = options.pop("form", None)
        answer: Answer | None = None
        while loop.time() < deadline:
            if form is not None:
                options["data"] = _recording(form)
            try:
                answer = await self.api.ask(method, path, **options)
            except aiohttp.ClientPayloadError:
                # What had begun to be sent was cut off, and does not look whole.
                self.refused[f"{method} {_kind(path)}, cut off"] += 1
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if answer.status in expected:
                return answer
            self.refused[f"{method} {_kind(path)}"] += 1
            if flaw := _flaw(answer):
                self.problems.append(f"{method} {path}: {flaw}: {answer.status} {answer.content!r}")
            await asyncio.sleep(float(answer.headers.get("Retry-After", PAUSE_SECONDS)))
        raise AssertionError(f"{method} {path} was never done: {answer}")


def _flaw(answer: Answer) -> str | None:
    """Say what is wrong with an answer to a request that could not be done just then."""
    if answer.status != 503 and not _is_overload(answer):
        return "not 503"
    if not answer.headers.get("Retry-After", "").isdigit():
        return "no Retry-After"
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return "no problem"
    detail = str(orjson.loads(answer.content)["detail"])
    if "repeat" not in detail and "again" not in detail:
        return "no remedy"
    return None


def _is_overload(answer: Answer) -> bool:
    """What waits for the object store waits before what comes behind it: at some length that is too much."""
    return answer.status == 429 and bool(answer.json["code"] == "overloaded")


def _kind(path: str) -> str:
    """Leave out of a path which one it is."""
    return "/".join("{id}" if len(part) == len(str(uuid4())) else part for part in path.split("/"))


def _recording(name: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("name", name)
    form.add_field("file", spoken_wav(), filename="sample.wav", content_type="audio/wav")
    return form
