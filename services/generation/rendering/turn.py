"""What a piece of work has of its worker while it is its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from libs.speech.engine import Rendered
from services.generation.store import queue


@dataclass(slots=True)
class Turn:
    """The turn of one piece of work, from when it is taken until it is done.

    `ahead` is its speech if that was begun before the work was written down. `when_spoken` is called once it is spoken:
    what remains is up to others than the engines, for which somebody else is next. `began` is when it was begun, by the
    clock of time.perf_counter().
    """

    ahead: asyncio.Task[Rendered] | None
    when_spoken: Callable[[], None]
    began: float
    is_spoken: bool = False

    def spoken(self) -> None:
        """Say that the engine is done with it, for good or ill."""
        self.is_spoken = True
        self.when_spoken()


@dataclass(frozen=True, slots=True)
class Running:
    """A piece of work under way."""

    work: queue.Work
    task: asyncio.Task[None]
    turn: Turn
