"""Long texts: what more workers bring, and what a book costs."""

from __future__ import annotations

import asyncio

from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.encoding import parse_output_format
from libs.speech.engine import RenderJob
from libs.speech.espeak import EspeakEngine
from tests.bench.harness import Row, row
from tests.bench.speech.asking import speak, timed
from tests.bench.speech.stage import Stage, more_workers, staged
from tests.bench.speech.texts import text_of
from tests.support.api import Api

CHARACTERS, JOB_CHARACTERS = 5_000, 100_000
WARM_UP, SAMPLES, JOBS = 2, 5, 3
JOB_SECONDS = 300.0
PIECE = 250
"""Characters of a piece, about as the generation service cuts them."""


async def measure_workers() -> list[Row]:
    """Measure one worker of one engine process, then four, on a stack of their own; about a minute."""
    async with staged(engine_processes=1) as stage:
        alone = await _seconds(stage)
        async with more_workers(stage, 3):
            together = await _seconds(stage)
    name = f"{CHARACTERS:,} characters to mp3"
    engines = {count: [await _engines_alone(stage, count) for _ in range(SAMPLES)] for count in (1, 4)}
    return [
        row(f"{name} by 1 worker", alone, "s"),
        row(f"{name} by 4 workers", together, "s"),
        row(f"{name}: 1 worker against 4", alone, "s", baseline=together, at_least=2.5),
        row("  the same, the engine processes alone: 1 against 4", engines[1], "s", baseline=engines[4]),
    ]


async def _engines_alone(stage: Stage, count: int) -> float:
    """Have a text's pieces spoken by so many engine processes and do nothing else: no more is to be had of them."""
    voice = next(one for one in SYSTEM_VOICES if one.name == stage.voice.name).profile.to_settings()
    form = parse_output_format("mp3")
    jobs = [RenderJob(text=text_of(PIECE), voice=voice, form=form, goes_on=True) for _ in range(CHARACTERS // PIECE)]
    engine = EspeakEngine(count)
    await engine.start()
    try:
        await asyncio.gather(*(engine.render(job) for job in jobs))
        return await timed(asyncio.gather(*(engine.render(job) for job in jobs)))
    finally:
        await engine.close()


async def _seconds(stage: Stage) -> list[float]:
    seconds = [
        await timed(speak(stage.api, stage.voice, text_of(CHARACTERS), format="mp3")) for _ in range(WARM_UP + SAMPLES)
    ]
    return seconds[WARM_UP:]


async def measure_job(stage: Stage) -> list[Row]:
    """Compare what a character costs in a job with what it costs in an interactive text."""
    short = [1e6 * seconds / CHARACTERS for seconds in await _seconds(stage)]
    long = [1e6 * await timed(speak_job(stage.api, stage)) / JOB_CHARACTERS for _ in range(JOBS)]
    return [
        row(f"a character of {CHARACTERS:,}", short, "us"),
        row(f"a character of {JOB_CHARACTERS:,}", long, "us", baseline=short, at_most=1.2),
    ]


async def speak_job(api: Api, stage: Stage) -> None:
    """Have a long text spoken as a job and wait until it is stored."""
    question = {"text": text_of(JOB_CHARACTERS), "voice_id": stage.voice.id, "mode": "job"}
    answer = await api.post("/v1/generations", json=question)
    if answer.status != 202:
        raise RuntimeError(f"the job was not accepted: {answer.status} {answer.content[:300]!r}")
    done = await api.until_completed(answer.json["id"], within=JOB_SECONDS)
    if done["status"] != "completed":
        raise RuntimeError(f"the job failed: {done['error']}")
