"""Short texts of concurrent calls are embedded together, and nobody hears of anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from services.embedding.adapters import Gathering, Vectors
from services.embedding.adapters.gathering import GATHERED_CHARACTERS, SHORT_CHARACTERS
from services.embedding.domain import EmbeddingRefused, EmbeddingUnavailable


@dataclass
class Counting:
    """Gives each text the vector of its length; waits for the gate, refuses "bad" and is away for "away"."""

    model_id: str = "counting"
    dimensions: int = 1
    calls: list[list[str]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    async def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        await self.gate.wait()
        if "bad" in texts:
            raise EmbeddingRefused("bad")
        if "away" in texts:
            raise EmbeddingUnavailable("away")
        return np.array([[len(text)] for text in texts], np.float32)

    async def close(self) -> None:
        self.closed = True


async def started(*calls: asyncio.Task[Vectors]) -> None:
    """Let all tasks run as far as they get."""
    for _ in range(3 * len(calls) + 3):
        await asyncio.sleep(0)


def ask(gathering: Gathering, *texts: str) -> asyncio.Task[Vectors]:
    return asyncio.create_task(gathering.embed(texts))


async def test_the_first_goes_at_once_and_the_others_together() -> None:
    inner = Counting()
    gathering = Gathering(inner)
    first = ask(gathering, "a")
    await started(first)
    assert inner.calls == [["a"]]
    others = [ask(gathering, "bb"), ask(gathering, "ccc", "d"), ask(gathering)]
    await started(*others)
    inner.gate.set()
    answers = await asyncio.gather(first, *others)
    assert inner.calls == [["a"], ["bb", "ccc", "d"]]
    assert [answer.tolist() for answer in answers] == [[[1]], [[2]], [[3], [1]], []]
    assert (await gathering.embed(["later"])).tolist() == [[5]]


async def test_long_texts_are_passed_on_as_they_come() -> None:
    inner = Counting()
    gathering = Gathering(inner)
    long = "x" * (SHORT_CHARACTERS + 1)
    calls = [ask(gathering, "a"), ask(gathering, long), ask(gathering, long)]
    await started(*calls)
    assert sorted(inner.calls) == [["a"], [long], [long]]
    inner.gate.set()
    await asyncio.gather(*calls)


async def test_no_more_goes_together_than_a_short_wait_allows() -> None:
    inner = Counting()
    gathering = Gathering(inner)
    text = "x" * SHORT_CHARACTERS
    calls = [ask(gathering, text) for _ in range(10)]
    inner.gate.set()
    await asyncio.gather(*calls)
    assert sum(map(len, inner.calls)) == 10
    assert max(sum(map(len, call)) for call in inner.calls) == GATHERED_CHARACTERS


async def test_a_refused_text_fails_nobody_else() -> None:
    inner = Counting()
    gathering = Gathering(inner)
    first, good, bad, last = (ask(gathering, text) for text in ("first", "good", "bad", "last"))
    inner.gate.set()
    answers = await asyncio.gather(first, good, bad, last, return_exceptions=True)
    assert isinstance(answers[2], EmbeddingRefused)
    assert [answer.tolist() for answer in answers if isinstance(answer, np.ndarray)] == [[[5]], [[4]], [[4]]]


async def test_an_outage_is_everybodys() -> None:
    inner = Counting()
    gathering = Gathering(inner)
    calls = [ask(gathering, text) for text in ("first", "away", "last")]
    inner.gate.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[1], EmbeddingUnavailable)
    assert isinstance(answers[2], EmbeddingUnavailable)
    assert (await gathering.embed(["later"])).tolist() == [[5]]


async def test_who_gives_up_is_left_out_and_stops_nobody() -> None:
    inner = Counting()
    gathering = Gathering(inner)
    first = ask(gathering, "a")
    await started(first)
    second, third = ask(gathering, "bb"), ask(gathering, "ccc")
    await started(second, third)
    first.cancel()
    second.cancel()
    inner.gate.set()
    assert (await third).tolist() == [[3]]
    assert inner.calls == [["a"], ["ccc"]]


async def test_closing_ends_those_who_wait() -> None:
    inner = Counting()
    gathering = Gathering(inner)
    calls = [ask(gathering, "a"), ask(gathering, "bb")]
    await started(*calls)
    await gathering.close()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*calls, return_exceptions=True))
    assert inner.closed


@pytest.mark.parametrize("attribute", ["model_id", "dimensions"])
def test_it_is_the_same_model(attribute: str) -> None:
    inner = Counting()
    assert getattr(Gathering(inner), attribute) == getattr(inner, attribute)
