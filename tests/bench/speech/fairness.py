"""Whether one organisation's backlog delays another's requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from tests.bench.harness import Row, percentile, row
from tests.bench.speech.asking import speak, timed
from tests.bench.speech.stage import Stage, new_organization
from tests.bench.speech.texts import text_of
from tests.support.api import Api

JOBS, JOB_CHARACTERS, SENDERS = 10_000, 1_000, 32
WARM_UP, SAMPLES, ROUNDS = 20, 60, 3

logger = logging.getLogger(__name__)


async def measure(stage: Stage) -> list[Row]:
    """Measure another organisation's requests before and behind a queue of jobs; it takes a few minutes to fill it."""
    key = await new_organization(stage)
    async with Api(stage.stack.url, key) as other:
        await _p95(stage, other, WARM_UP)
        idle = [await _p95(stage, other, SAMPLES) for _ in range(ROUNDS)]
        await _fill(stage)
        waiting = await _waiting(stage)
        busy = [await _p95(stage, other, SAMPLES) for _ in range(ROUNDS)]
    return [
        row("jobs of one organisation in the queue", [waiting], "jobs", at_least=JOBS),
        row("another's 100 characters without them: p95", idle, "ms"),
        row("another's 100 characters behind them: p95", busy, "ms", baseline=idle, at_most=2),
    ]


async def _p95(stage: Stage, api: Api, requests: int) -> float:
    seconds = [await timed(speak(api, stage.voice, text_of(100), cache=False)) for _ in range(requests)]
    return 1000 * percentile(seconds, 0.95)


async def _fill(stage: Stage) -> None:
    """Ask for jobs until that many wait at the same time: those that were spoken meanwhile are replaced."""
    while (missing := JOBS - await _waiting(stage)) > 0:
        logger.info("%d jobs to ask for", missing)
        waiting = iter(range(missing + SENDERS))
        await asyncio.gather(*(_send(stage, waiting) for _ in range(SENDERS)))


async def _send(stage: Stage, numbers: Iterator[int]) -> None:
    """Ask for a job for each number that no other sender takes."""
    for _ in numbers:
        question = {"text": text_of(JOB_CHARACTERS), "voice_id": stage.voice.id, "mode": "job", "cache": False}
        answer = await stage.api.post("/v1/generations", json=question)
        if answer.status != 202:
            raise RuntimeError(f"a job was not accepted: {answer.status} {answer.content[:300]!r}")


async def _waiting(stage: Stage) -> int:
    rows = await stage.rows("generation", "select count(distinct rendition_id) from speech_queue where priority = 1")
    return int(rows[0][0])
