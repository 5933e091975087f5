"""Whatever a client sends to be spoken, it is spoken or refused; nothing breaks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.e2e.test_speech import one_voice
from tests.support.api import Answer, Api
from tests.support.odd_texts import odd_texts
from tests.support.stack import Stack
from tests.support.texts import LANGUAGES

TEXTS, SEED = 300, 41
LONG, SHORT, LONG_EVERY = 700, 100, 13
"""Characters of a text: some are spoken in chunks, and all together do not take long."""
SURROGATES = (r"\ud800", r"a\udc00b", r"\udc00\ud800", r"ok \ud83d\ude00 \ud83d", r"\ud800\ud800\udc00\udc00")
"""Halves of pairs as JSON may write them."""


async def test_three_hundred_odd_texts_are_spoken_or_refused(stack: Stack, api: Api) -> None:
    before = {name: process["pid"] for name, process in stack.record["processes"].items()}
    voice = await one_voice(api)
    slots = asyncio.Semaphore(8)

    async def send(number: int, text: str) -> Answer:
        body: dict[str, Any] = {"text": text, "voice_id": voice, "speed": 2.5}
        body["language"] = ("auto", *LANGUAGES)[number % (len(LANGUAGES) + 1)]
        if number % 5 == 0:
            body["input_type"] = "ssml"
        async with slots:
            return await api.post("/v1/generations", json=body, headers={"Prefer": "wait=30"})

    texts = [text[: SHORT if number % LONG_EVERY else LONG] for number, (_, text) in enumerate(odd_texts(TEXTS, SEED))]
    answers = await asyncio.gather(*(send(number, text) for number, text in enumerate(texts)))
    for text, answer in zip(texts, answers, strict=True):
        assert answer.status in (201, 422), (ascii(text), answer.status, answer.content)
        if answer.status == 201:
            assert (answer.json["status"], answer.json["text"]) == ("completed", text)
            assert answer.json["duration_seconds"] > 0
    assert sum(answer.status == 201 for answer in answers) > TEXTS / 2
    assert {name: process["pid"] for name, process in stack.record["processes"].items()} == before


async def test_halves_of_surrogate_pairs_are_refused(api: Api) -> None:
    voice = await one_voice(api)
    for text in SURROGATES:
        body = f'{{"text": "{text}", "voice_id": {json.dumps(voice)}}}'
        answer = await api.post("/v1/generations", data=body, headers={"Content-Type": "application/json"})
        assert answer.status in (400, 422), (text, answer.status, answer.content)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
