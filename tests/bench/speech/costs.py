"""Where the processor's time goes: milliseconds of each process for a request."""

from __future__ import annotations

from collections.abc import Mapping

import psutil

from tests.support.stack import Stack


class Processor:
    """The processor time of all processes of a stack, by their names."""

    def __init__(self, stack: Stack) -> None:
        self._processes = {name: psutil.Process(one["pid"]) for name, one in stack.record["processes"].items()}
        self._before = self._read()

    def _read(self) -> dict[str, float]:
        """Seconds since each began, with what its children took; the worker's are the engine processes, apart."""
        spent: dict[str, float] = {}
        for name, process in self._processes.items():
            times = process.cpu_times()
            below = times.children_user + times.children_system + sum(map(_seconds, process.children(recursive=True)))
            own = times.user + times.system
            spent |= {name: own, "engines": below} if name == "worker" else {name: own + below}
        return spent

    def spent_since(self) -> Mapping[str, float]:
        """Return the seconds of each process since the last call, the most costly first."""
        now = self._read()
        spent = {name: now[name] - self._before.get(name, 0.0) for name in now}
        self._before = now
        return dict(sorted(spent.items(), key=lambda one: -one[1]))


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # it ended a moment ago: its parent has its time now
    return times.user + times.system
