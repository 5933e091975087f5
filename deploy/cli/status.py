"""What runs, and how it is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from deploy.embedded.home import Home
from deploy.embedded.probes import find_obstacle
from deploy.embedded.processes import is_running
from deploy.embedded.record import ProcessRecord, read_record


@dataclass(frozen=True)
class ProcessStatus:
    """One process; `problem` is None when it is healthy."""

    name: str
    pid: int
    port: int | None
    url: str | None
    uptime_seconds: float | None
    restarts: int
    problem: str | None


@dataclass(frozen=True)
class StackStatus:
    """The stack of one state directory. `state` is starting, ready, stopping, crashed or stopped."""

    home: Home
    state: str
    url: str | None
    processes: list[ProcessStatus]

    @property
    def healthy(self) -> bool:
        return self.state == "ready" and all(process.problem is None for process in self.processes)

    def as_json(self) -> dict[str, Any]:
        processes = [asdict(process) | {"healthy": process.problem is None} for process in self.processes]
        return {
            "home": str(self.home.path),
            "state": self.state,
            "healthy": self.healthy,
            "url": self.url,
            "processes": processes,
        }


async def examine(home: Home) -> StackStatus:
    """Ask every process that is recorded, all at once."""
    record = read_record(home)
    running = home.holder() is not None
    if record is None:
        return StackStatus(home, "starting" if running else "stopped", None, [])
    found = await asyncio.gather(*(_examine_process(name, process) for name, process in record.processes.items()))
    supervisor = ProcessStatus(
        name="supervisor",
        pid=record.supervisor_pid,
        port=None,
        url=None,
        uptime_seconds=_seconds_since(record.started_at) if running else None,
        restarts=0,
        problem=None if running else "was killed; antiphon up ends what it left behind and starts anew",
    )
    return StackStatus(home, record.state if running else "crashed", record.urls.get("gateway"), [*found, supervisor])


async def _examine_process(name: str, process: ProcessRecord) -> ProcessStatus:
    alive = is_running(process.pid, process.identity)
    problem = process.detail if alive else process.detail or "is not running"
    if alive and problem is None and process.health is not None:
        problem = await find_obstacle(process.health)
    uptime = _seconds_since(process.started_at) if alive else None
    return ProcessStatus(name, process.pid, process.port, process.url, uptime, process.restarts, problem)


def _seconds_since(moment: str) -> float:
    return round(time.time() - datetime.fromisoformat(moment).timestamp(), 1)


def render(report: StackStatus) -> str:
    """A table for a terminal."""
    if not report.processes:
        return f"{report.state}: {report.home.path}" + ("\nStart it: antiphon up" if report.state == "stopped" else "")
    rows = [("WHAT", "PID", "PORT", "UPTIME", "RESTARTS", "HEALTHY"), *map(_row, report.processes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    details = [f"\n{process.problem}" for process in report.processes if process.problem and "\n" in process.problem]
    return "\n".join([f"{report.state}: {report.url or report.home.path}", "", *lines, *details])


def _row(process: ProcessStatus) -> tuple[str, str, str, str, str, str]:
    return (
        process.name,
        str(process.pid),
        str(process.port or "-"),
        _duration(process.uptime_seconds),
        str(process.restarts),
        "yes" if process.problem is None else f"no: {process.problem.splitlines()[0]}",
    )


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.0f} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"
