"""What becomes of work that failed: tried again or given up, and what clients are told of it."""

from __future__ import annotations

import logging

from libs.ids import new_id
from libs.messaging import Permanent, RetryPolicy, signal
from libs.messaging.policy import Verdict, judge
from libs.speech.engine import EngineCrashed, EngineTimeout, EngineUnavailable, PermanentSpeechError, SpeechError
from services.generation.domain import signals
from services.generation.rendering.deps import WorkerDeps
from services.generation.store import attempts, queue
from services.generation.usecases import ending

logger = logging.getLogger(__name__)

RETRIES = RetryPolicy(delays=(0.2, 1.0, 5.0, 20.0))
OUTAGE_SECONDS = 2.0
DEADLY = 3
"""Engines that a piece of work may kill before it is given up."""
TAKEN_MOST = 8
"""How often work is taken before it is given up: more often than a worker is killed that happens to have it."""


def told(error: Exception) -> str:
    """Return what clients are told of a try that failed: never what an error of ours, or of a server's, may repeat."""
    if isinstance(error, PermanentSpeechError | Permanent | EngineTimeout):
        return str(error)[:500]
    if isinstance(error, EngineCrashed):
        return "The engine died while it spoke this text."
    if isinstance(error, EngineUnavailable):
        return "The engine could not speak at that moment."
    if judge(error) is Verdict.UNAVAILABLE:
        return "Something that speaking needs was away at that moment."
    return "It failed in a way that was not foreseen; the operator's log says more."


def engine_of(work: queue.Work) -> str:
    """Return which engine was to do the work, or of what kind it is where none was."""
    spec = work.payload.get("spec")
    return str(spec["engine"]) if spec else work.kind


def final_code(work: queue.Work, error: Exception, *, deadly: bool) -> str | None:
    """Return as what the work fails for good; None when it is to be tried again."""
    if isinstance(error, PermanentSpeechError):
        return "text_not_speakable"
    if isinstance(error, Permanent):
        return "not_possible" if work.tries <= TAKEN_MOST else "engine_failed"
    if deadly:
        return "engine_crashed" if work.deaths + 1 >= DEADLY else None
    if isinstance(error, EngineUnavailable) or judge(error) is Verdict.UNAVAILABLE:
        return None
    return "engine_failed" if RETRIES.is_exhausted(work.tries) else None


def explanation(code: str, error: Exception) -> str:
    """Return what clients are told of work that failed for good as `code`."""
    if code == "engine_crashed":
        return f"The engine died {DEADLY} times while it spoke this text. Change the text, or report it with its id."
    if code == "engine_failed":
        return f"The text could not be spoken. {told(error)} Try again later."
    return str(error)


def delay(work: queue.Work, *, outage: bool) -> float:
    """Return for how many seconds nobody takes work that failed and is tried again."""
    return OUTAGE_SECONDS if outage else RETRIES.delay(min(work.tries, len(RETRIES.delays)))


async def end_try(deps: WorkerDeps, work: queue.Work, error: Exception) -> None:
    """Give work back for another try, or fail what waits for it."""
    deadly = isinstance(error, EngineCrashed | EngineTimeout)
    code = final_code(work, error, deadly=deadly)
    facts = {"kind": work.kind, "rendition_id": str(work.rendition_id), "tries": work.tries, "final": bool(code)}
    # Of the errors that are not foreseen the place is wanted, too.
    unforeseen = error if not isinstance(error, SpeechError | Permanent) else None
    logger.warning("speaking failed", extra=facts | {"error": type(error).__name__}, exc_info=unforeseen)
    if code:
        await _give_up(deps, work, code, explanation(code, error))
        return
    outage = (not deadly and judge(error) is Verdict.UNAVAILABLE) or isinstance(error, EngineUnavailable)
    async with deps.database.transaction(work.org_id) as session:
        # The rendition first, and then what is queued for it: in that order whoever cancels it locks them, too.
        await attempts.insert_attempt(
            session,
            new_id(),
            work.rendition_id,
            model_id=engine_of(work),
            error=f"{type(error).__name__}: {told(error)}",
        )
        await queue.give_back(
            session,
            deps.worker_id,
            [work.id],
            after_seconds=delay(work, outage=outage),
            untried=outage,
            died=deadly,
        )


async def _give_up(deps: WorkerDeps, work: queue.Work, code: str, reason: str) -> None:
    async with deps.database.transaction(work.org_id) as session:
        ended = await ending.fail_work(session, work, deps.worker_id, code=code, reason=reason, now=deps.clock())
        await attempts.insert_attempt(
            session, new_id(), work.rendition_id, model_id=engine_of(work), error=reason[:500]
        )
    for rendition_id in ended:
        await signal(deps.bus, signals.PROGRESS, str(rendition_id))
