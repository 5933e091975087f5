"""How fast a worker speaks, from what it has spoken lately: so that waiting times can be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.generation.store import queue

_FIRST_GUESS = 2_000.0
"""Characters a second of one engine process, until something is measured: eSpeak NG with its upload and records."""
_WEIGHT = 0.05
"""Of the newest measurement in the running mean."""


class Pace:
    """A running mean over pieces of work."""

    def __init__(self, processes: int) -> None:
        """`processes` can speak at the same time; what a piece of work takes holds its wait for one."""
        self.processes = processes
        self._seconds_per_character = 1 / _FIRST_GUESS

    @property
    def characters_per_second(self) -> float:
        """How many characters all engines of the worker speak in a second."""
        return self.processes / self._seconds_per_character

    @contextmanager
    def measured(self, work: queue.Work, at_once: Callable[[], int], began: float) -> Iterator[None]:
        """Measure how long a piece of work takes since it `began`; only what is spoken counts.

        `at_once` says how many are under way.
        """
        others = at_once()
        yield
        if work.kind in ("whole", "chunk"):
            # Of more than there are processes each takes longer, though not all of them together.
            shared = self.processes / max(self.processes, (others + at_once()) / 2)
            took = shared * (time.perf_counter() - began) / max(work.characters, 50)
            self._seconds_per_character += _WEIGHT * (took - self._seconds_per_character)
