"""The places that an engine's processes take, and what each of them finds around it."""

from __future__ import annotations

import asyncio
import os
from asyncio import Future, Task
from collections import deque

from libs.speech.espeak_child import EngineProcess

_PASSED_ON = (
    "CUDA_VISIBLE_DEVICES", "HF_HOME", "HOME", "LANG", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "ONNX_PROVIDER", "PATH",
    "TMPDIR", "XDG_CACHE_HOME",
)  # fmt: skip


class Seat:
    """The place of one process: `attempt` is the process that serves, or is being started, or why there is none."""

    def __init__(self) -> None:
        self.attempt: Future[EngineProcess] = asyncio.get_running_loop().create_future()
        self.filling: Task[None] | None = None

    @property
    def process(self) -> EngineProcess | None:
        """The process, if it serves."""
        done = self.attempt.done() and not self.attempt.cancelled() and self.attempt.exception() is None
        return self.attempt.result() if done else None


class Room:
    """The seats from a start to the next close, and the turns of those who wait for one."""

    def __init__(self, seats: int) -> None:
        self.seats = [Seat() for _ in range(seats)]
        self.idle = deque(self.seats)
        self.turns = asyncio.Semaphore(seats)


def own_environment() -> dict[str, str]:
    """What an engine needs to find its libraries, caches and devices: the worker's own environment leads to secrets.

    Weights come from the operator's paths, so nothing is to be fetched from anywhere.
    """
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"HF_HUB_OFFLINE": "1"}
