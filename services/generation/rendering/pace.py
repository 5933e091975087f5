"""How fast a worker speaks, from what it has spoken lately: so that waiting times can be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.generation.domain.load import Pace
from services.generation.store import queue

SPOKEN = ("whole", "chunk")
"""The kinds of work that are speaking."""
FIRST_GUESS = Pace(piece_seconds=0.03, character_seconds=0.0003)
"""Of one engine process, until something is measured: eSpeak NG with its upload and records."""
_FIRST_CHARACTERS = 100.0
"""Of a piece, until one is measured."""
_WEIGHT = 0.05
"""Of the newest measurement in the running means."""
_SPREAD = 40.0
"""By how many characters pieces have to differ (a standard deviation) before they say as much as the first guess about
what a character takes and what a piece does. What both together take is always as it was measured."""
_FEWEST = 0.1
"""Of what the first guess would have a character take: characters always take something."""


class PaceMeter:
    """Running means over pieces of work, and the line through them."""

    def __init__(self, processes: int) -> None:
        """`processes` can speak at the same time; what a piece of work takes holds its wait for one."""
        self.processes = processes
        self._characters = _FIRST_CHARACTERS
        self._seconds = FIRST_GUESS.seconds(1, _FIRST_CHARACTERS)
        self._variance = self._covariance = 0.0

    @property
    def pace(self) -> Pace:
        """How long the worker with all of its engines takes for a piece, and for each character in it."""
        scale = self._seconds / FIRST_GUESS.seconds(1, self._characters)
        guess = scale * FIRST_GUESS.character_seconds
        slope = (self._covariance + _SPREAD**2 * guess) / (self._variance + _SPREAD**2)
        character = min(max(slope, _FEWEST * guess), self._seconds / self._characters)
        piece = max(0.0, self._seconds - character * self._characters)
        return Pace(piece / self.processes, character / self.processes)

    @contextmanager
    def measured(self, work: queue.Work, at_once: Callable[[], int], began: float) -> Iterator[None]:
        """Measure how long a piece of work takes since it `began`, if it is SPOKEN.

        `at_once` says how many of that kind are under way. What planning and joining take is in how long those take
        that are spoken meanwhile.
        """
        others = at_once()
        yield
        if work.kind in SPOKEN:
            # Of more than there are processes each takes longer, though not all of them together.
            shared = self.processes / max(self.processes, (others + at_once()) / 2)
            self.add(work.characters, shared * (time.perf_counter() - began))

    def add(self, characters: int, seconds: float) -> None:
        """Take in what a piece of work took of one process."""
        longer, later = characters - self._characters, seconds - self._seconds
        self._characters += _WEIGHT * longer
        self._seconds += _WEIGHT * later
        self._variance = (1 - _WEIGHT) * (self._variance + _WEIGHT * longer * longer)
        self._covariance = (1 - _WEIGHT) * (self._covariance + _WEIGHT * longer * later)
