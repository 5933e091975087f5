"""Processes of a stack whose supervisor was killed: found without guessing, and ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.embedded.errors import StackError
from deploy.embedded.processes import HOME_MARK, identify, is_running

_GRACE_SECONDS = 3.0
_KILL_SECONDS = 5.0


@dataclass(frozen=True)
class Leftover:
    """A process of this stack that nobody supervises any more."""

    pid: int
    identity: str
    stop_signal: signal.Signals = signal.SIGTERM


def find_leftovers(home: Path, recorded: Iterable[tuple[int, str | None]]) -> list[Leftover]:
    """The processes that certainly belong to the stack in `home`.

    A recorded pid counts only when the process began exactly when the record says. Others count when they carry the
    mark of this state directory in their environment, or are its database's (PostgreSQL overwrites its environment).
    A pid that was given to a stranger since is never among them.
    """
    found = {leftover.pid: leftover for leftover in find_postgres(home / "postgres")}
    for pid, identity in recorded:
        if identity and pid not in found and is_running(pid, identity):
            found[pid] = Leftover(pid, identity)
    for process in psutil.process_iter():
        if process.pid == os.getpid() or process.pid in found:
            continue
        try:
            belongs = process.environ().get(HOME_MARK) == str(home)
        except psutil.Error:
            continue  # gone by now, or another account's: not something this stack started
        identity = identify(process.pid) if belongs else None
        if identity is not None:
            found[process.pid] = Leftover(process.pid, identity)
    return list(found.values())


def find_postgres(folder: Path) -> list[Leftover]:
    """The PostgreSQL processes that work in a directory under `folder`: a postmaster and what it started."""
    inside = str(folder.resolve()) + os.sep
    found = []
    for process in psutil.process_iter():
        try:
            belongs = process.name() == "postgres" and process.cwd().startswith(inside)
        except psutil.Error:
            continue
        identity = identify(process.pid) if belongs else None
        if identity is not None:
            found.append(Leftover(process.pid, identity, signal.SIGINT))
    return found


def end_leftovers(leftovers: Iterable[Leftover]) -> None:
    """End them: politely first, then by force.

    Raises StackError when one remains, which means that this account may not signal it or that it hangs in the kernel.
    """
    remaining = list(leftovers)
    for force, seconds in ((False, _GRACE_SECONDS), (True, _KILL_SECONDS)):
        for leftover in remaining:
            _send(leftover, signal.SIGKILL if force else leftover.stop_signal)
        remaining = _wait(remaining, seconds)
    if remaining:
        pids = " ".join(str(leftover.pid) for leftover in remaining)
        raise StackError(f"Processes of an earlier run do not end. As the account that owns them, try: kill -9 {pids}")


def _send(leftover: Leftover, number: signal.Signals) -> None:
    if is_running(leftover.pid, leftover.identity):
        try:
            os.kill(leftover.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            raise StackError(
                f"Process {leftover.pid} of an earlier run is another account's. Stop it from there: antiphon down"
            ) from None


def _wait(leftovers: list[Leftover], seconds: float) -> list[Leftover]:
    deadline = time.monotonic() + seconds
    while leftovers and time.monotonic() < deadline:
        time.sleep(0.02)
        leftovers = [leftover for leftover in leftovers if is_running(leftover.pid, leftover.identity)]
    return leftovers
