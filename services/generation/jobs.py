"""What a speech worker answers: a request for speech."""

from __future__ import annotations

import sys

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationRequested
from libs.messaging import Delivery, RetryPolicy, declared, work
from services.generation import rendering
from services.generation.rendering import WorkerDeps


async def give_up(delivery: Delivery[GenerationRequested], deps: WorkerDeps, reason: str) -> None:
    """Every accepted request ends: when all tries are used up, as failed."""
    await rendering.fail(deps, delivery.event, code="engine_failed", reason=reason)


@work(
    GenerationRequested,
    concurrency=16,
    outstanding=1024,
    policy=RetryPolicy(delays=(0.2, 1.0, 5.0, 20.0)),
    exhausted=give_up,
)
async def speak(delivery: Delivery[GenerationRequested], deps: WorkerDeps) -> None:
    """Render the text, upload the audio, and tell storage."""
    await rendering.render(deps, delivery.event)


CONSUMERS = declared("worker", sys.modules[__name__])
