"""The main job: start, latency of one generation and where it goes, throughput, and what the idle stack costs."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from uuid import uuid4

import psutil

from tests.bench.harness import Row, percentile, row
from tests.support.api import Api
from tests.support.otlp import ReceivedSpan, SpanReceiver
from tests.support.polling import eventually
from tests.support.stack import Stack, running_stack

WARM_UP, SAMPLES, ROUNDS = 20, 60, 3
TRACED = 30
IDLE_SECONDS = 20.0
STARTING_CPU_SECONDS = 0.2
"""In a second: more than the stack takes while it rests, less than while it starts."""
CONCURRENCY = 16
BURST = 200
_WORDS = [
    "river",
    "stone",
    "letter",
    "garden",
    "window",
    "morning",
    "silver",
    "thunder",
    "basket",
    "candle",
    "dragon",
    "engine",
    "forest",
    "harbour",
    "island",
    "jacket",
    "kettle",
    "ladder",
    "mirror",
    "needle",
    "orange",
    "pepper",
    "quiver",
    "rocket",
    "saddle",
    "timber",
    "valley",
    "walnut",
    "yellow",
    "zipper",
    "anchor",
    "bridge",
]


def text_of_100(number: int) -> str:
    """Return a sentence of exactly 100 characters, another one for every number below 2**25."""
    words = [_WORDS[(number >> shift) % len(_WORDS)] for shift in (0, 5, 10, 15, 20)]
    sentence = f"The {words[0]} and the {words[1]} met a {words[2]} near the {words[3]}, then they found a {words[4]}"
    filler = " and went home together before it was dark and cold outside of the old house"
    return (sentence + filler)[:99] + "."


async def run() -> list[Row]:
    """Measure everything; takes about two minutes."""
    with SpanReceiver.running() as receiver:
        begun = time.perf_counter()
        with running_stack() as stack:
            cold = time.perf_counter() - begun
            rows = [row("cold start after installation", [cold], "s", at_most=20)]
            rows += await _idle(stack)
            rows += await _latency(stack)
            rows += await _throughput(stack)
            stack.run("down")
            rows.append(row("warm start", [_start(stack, {})], "s", at_most=8))
            stack.run("down")
            _start(stack, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"})
            rows += await _where_the_time_goes(stack, receiver)
    return rows


def _start(stack: Stack, extra: dict[str, str]) -> float:
    begun = time.perf_counter()
    Stack(stack.home, {**stack.environment, **extra}).run("up", "--detach")
    return time.perf_counter() - begun


def _processes(stack: Stack) -> list[psutil.Process]:
    supervisor = psutil.Process(stack.record["supervisor_pid"])
    return [supervisor, *supervisor.children(recursive=True)]


async def _idle(stack: Stack) -> list[Row]:
    processes = _processes(stack)

    def cpu() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes if process.is_running())

    last = [cpu()]

    async def at_rest() -> bool:
        last.append(cpu())
        return last[-1] - last[-2] < STARTING_CPU_SECONDS

    await eventually(at_rest, within=30, every=1, what="the end of what starting left to do")
    memory = sum(process.memory_full_info().pss for process in processes) / 1e9
    shares = []
    for _ in range(ROUNDS):
        before, begun = cpu(), time.perf_counter()
        await asyncio.sleep(IDLE_SECONDS / ROUNDS)
        shares.append(100 * (cpu() - before) / (time.perf_counter() - begun))
    return [
        row("idle: memory of the whole stack (PSS)", [memory], "GB", at_most=1.3),
        row("idle: CPU of the whole stack", shares, "% core", at_most=5),
    ]


async def _everyday_voice(api: Api) -> str:
    """A voice that speaks at an ordinary speed."""
    answer = await api.get("/v1/voices", params={"language": "en-US", "category": "GENERAL"})
    return str(answer.json["items"][0]["id"])


async def _one(api: Api, voice: str, number: int, headers: dict[str, str] | None = None) -> float:
    text = text_of_100(number)
    begun = time.perf_counter()
    answer = await api.post(
        "/v1/generations", json={"text": text, "voice_id": voice}, headers={"Prefer": "wait=30", **(headers or {})}
    )
    assert answer.status == 201, answer.content
    return 1000 * (time.perf_counter() - begun)


async def _latency(stack: Stack) -> list[Row]:
    async with Api(stack.url, stack.api_key) as api:
        voice = await _everyday_voice(api)
        for number in range(WARM_UP):
            await _one(api, voice, number)
        # No text twice: its audio would be there already.
        rounds = [
            [await _one(api, voice, 1000 * (turn + 1) + number) for number in range(SAMPLES)] for turn in range(ROUNDS)
        ]
    return [
        row(
            "100 characters, one at a time, waited for: p50",
            [statistics.median(one) for one in rounds],
            "ms",
            at_most=60,
        ),
        row("the same: p95", [percentile(one, 0.95) for one in rounds], "ms"),
    ]


async def _throughput(stack: Stack) -> list[Row]:
    rates: list[float] = []
    async with Api(stack.url, stack.api_key) as api:
        voice = await _everyday_voice(api)
        slots = asyncio.Semaphore(CONCURRENCY)

        async def one(number: int) -> None:
            async with slots:
                await _one(api, voice, number)

        for turn in range(ROUNDS):
            begun = time.perf_counter()
            await asyncio.gather(*(one(100_000 * (turn + 1) + number) for number in range(BURST)))
            rates.append(BURST / (time.perf_counter() - begun))
    return [row(f"100 characters, concurrency {CONCURRENCY}", rates, "req/s")]


async def _where_the_time_goes(stack: Stack, receiver: SpanReceiver) -> list[Row]:
    parts: dict[str, list[float]] = {}
    async with Api(stack.url, stack.api_key) as api:
        voice = await _everyday_voice(api)
        for number in range(WARM_UP):
            await _one(api, voice, 2_000_000 + number)
        for number in range(TRACED):
            trace_id = uuid4().hex
            headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
            await _one(api, voice, 3_000_000 + number, headers)

            async def whole(trace_id: str = trace_id) -> dict[str, float]:
                return _parts(receiver.trace(trace_id))

            for name, value in (await eventually(whole, within=10, what="a whole trace")).items():
                parts.setdefault(name, []).append(value)
    return [row(f"where it goes (traced): {name}", values, "ms") for name, values in parts.items()]


def _parts(spans: Sequence[ReceivedSpan]) -> dict[str, float]:
    """Cut one generation's trace into consecutive parts, in milliseconds; empty until it is whole."""
    try:
        marks = [_first(spans, service, start) for service, start in _MARKS]
    except LookupError:
        return {}
    door, served, worked, spoke, uploaded, kept = marks

    def between(start: int, end: int) -> float:
        return (end - start) / 1e6

    queued = float(worked.attributes["antiphon.queue.seconds"]) * 1000
    engine = {name: float(spoke.attributes[f"antiphon.engine.{name}_seconds"]) * 1000 for name in _ENGINE}
    return {
        "gateway": between(door.started, served.started) + between(served.ended, door.ended),
        "request and quota": between(served.started, worked.started) - queued,
        "commit and queue": queued,
        "worker": between(worked.started, spoke.started),
        "engine queue": engine["queue"],
        "synthesis": engine["synthesis"],
        "encoding": engine["encoding"],
        "engine round trip": between(spoke.started, spoke.ended) - sum(engine.values()),
        "upload": between(uploaded.started, uploaded.ended),
        "record and complete": between(uploaded.ended, worked.ended),
        "news to the request": between(worked.ended, served.ended),
        "until storage has it, from the record": between(worked.ended, kept.ended),
        "all": between(door.started, door.ended),
    }


def _first(spans: Sequence[ReceivedSpan], service: str, start: str) -> ReceivedSpan:
    found = [span for span in spans if span.service == service and span.name.startswith(start)]
    if not found:
        raise LookupError(start)
    return min(found, key=lambda span: span.started)


_ENGINE = ("queue", "synthesis", "encoding")
_MARKS = (
    ("gateway", "POST"),
    ("generation", "POST"),
    ("worker", "speech whole"),
    ("worker", "speak"),
    ("worker", "upload audio"),
    ("storage", "process evt.generation.audio_rendered"),
)
