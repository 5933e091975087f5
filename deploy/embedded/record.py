"""`stack.json`: what runs in a state directory, for people, tools and the next start after a crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from deploy.embedded.home import Home, write_atomically

RECORD_VERSION = 1

ProcessState = Literal["starting", "ready", "restarting", "failing", "stopped"]


StackState = Literal["starting", "ready", "stopping"]


@dataclass
class ProcessRecord:
    """One process. `started_at` is ISO 8601 in UTC, `identity` tells it from a later process with the same pid.

    `health` is what to ask whether it works, see `probes.find_obstacle`; None where there is nothing to ask.
    `detail` says why it is not ready: the exit, and the end of its log once it died three times in a row.
    """

    pid: int
    port: int | None
    url: str | None
    started_at: str
    restarts: int
    identity: str | None
    state: ProcessState
    health: str | None
    detail: str | None = None


@dataclass
class StackRecord:
    """The whole stack. `supervisor_pid` is the process to signal; `urls` has one for each server and service."""

    home: str
    supervisor_pid: int
    supervisor_identity: str | None
    state: StackState
    urls: dict[str, str]
    started_at: str
    version: int = RECORD_VERSION
    processes: dict[str, ProcessRecord] = field(default_factory=dict)

    def pids(self) -> Iterator[tuple[int, str | None]]:
        """Every recorded process, the supervisor first, with its identity."""
        yield self.supervisor_pid, self.supervisor_identity
        for process in self.processes.values():
            yield process.pid, process.identity


def write_record(home: Home, record: StackRecord) -> None:
    write_atomically(home.record_file, json.dumps(asdict(record), indent=1) + "\n", mode=0o600)


def read_record(home: Home) -> StackRecord | None:
    """The last record; None when there is none, or one that a different version wrote."""
    try:
        content: dict[str, Any] = json.loads(home.record_file.read_text())  # JSON: checked by the constructors below
        processes = {name: ProcessRecord(**process) for name, process in content.pop("processes").items()}
        return StackRecord(**content, processes=processes)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
