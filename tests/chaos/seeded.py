"""One run: load, faults by the schedule, healing, audit."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field

from tests.chaos.audit import Findings, audit
from tests.chaos.load import Load
from tests.chaos.proxied import proxied_stack
from tests.chaos.proxy import Link
from tests.chaos.schedule import Fault, schedule
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack

HEAL_SECONDS = 90.0
REST_SECONDS = 120.0
"""How long after the healing everything may take to have ended."""


@dataclass
class Outcome:
    """The figures of a run."""

    seed: int
    seconds: float
    faults: Counter[str]
    requests: int
    repeats: int
    accepted: int
    deleted: int
    drained: float
    """Seconds from the healing until everything had ended and was audited."""
    findings: Findings = field(default_factory=Findings)

    def __str__(self) -> str:
        """Say it in a line."""
        found = self.findings
        faults = " ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        failed = ", ".join(f"{count} failed ({code})" for code, count in found.failed.items()) or "none failed"
        verdict = f"{len(found.problems)} PROBLEMS" if found.problems else "sound"
        return (
            f"seed {self.seed}: {self.accepted} accepted, {found.completed} completed, {failed}, {self.deleted} deleted"
            f"; {self.requests} requests, {self.repeats} repeats; {faults}; {found.events} events,"
            f" {found.stray_objects} stray objects; at rest after {self.drained:.1f} s; {verdict}"
        )


async def run(seed: int, seconds: float) -> Outcome:
    """Run the whole stack through the faults of `seed` and audit it."""
    faults = schedule(seed, seconds)
    async with (
        proxied_stack({"ANTIPHON_ENGINE_PROCESSES": "2"}) as (stack, links),
        Api(stack.url, stack.api_key) as api,
    ):
        voices = [str(voice["id"]) for voice in (await api.voices())[:8]]
        load = Load(api, voices, seed)
        stopping = asyncio.Event()
        clients = asyncio.create_task(load.run(stopping))
        began = time.monotonic()
        try:
            await asyncio.gather(*(_inflict(fault, stack, links) for fault in faults))
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
            stopping.set()
            await _heal(stack)
            healed = time.monotonic()
            await clients
        finally:
            stopping.set()
            clients.cancel()
            await asyncio.gather(clients, return_exceptions=True)
        findings = await audit(stack, load.accepted, load.deleted, within=REST_SECONDS)
        return Outcome(
            seed,
            seconds,
            Counter(fault.kind for fault in faults),
            load.requests,
            load.repeats,
            len(load.accepted),
            len(load.deleted),
            time.monotonic() - healed,
            findings,
        )


async def _inflict(fault: Fault, stack: Stack, links: Mapping[str, Link]) -> None:
    await asyncio.sleep(fault.at)
    with _fault(fault, stack, links):
        await asyncio.sleep(fault.lasts)


def _fault(fault: Fault, stack: Stack, links: Mapping[str, Link]) -> AbstractContextManager[object]:
    if fault.kind == "kill":
        _signal(_pid(stack, fault.target), signal.SIGKILL)
        return nullcontext()
    if fault.kind == "pause":
        return _Pause(_pid(stack, fault.target))
    link = links[fault.target]
    return {"blackhole": link.blackhole, "reset": link.reset, "slow": link.slow}[fault.kind]()


class _Pause:
    """A process that stands still while the block runs."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        _signal(self._pid, signal.SIGSTOP)

    def __exit__(self, *_error: object) -> None:
        _signal(self._pid, signal.SIGCONT)


def _pid(stack: Stack, process: str) -> int | None:
    """The process's pid; None while it is just being started again."""
    known = stack.record["processes"].get(process)
    return int(known["pid"]) if known and known["pid"] else None


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def _heal(stack: Stack) -> None:
    async def all_ready() -> bool:
        return _states(stack) == {"ready"}

    await eventually(all_ready, within=HEAL_SECONDS, what="every process ready")


def _states(stack: Stack) -> set[str]:
    return {known["state"] for known in stack.record["processes"].values()}
