"""A bench for the suite of engines whose processes can be stopped, and killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from libs.speech.adapters.host import HostedEngine
from libs.speech.adapters.protocol import SpeechJob
from tests.integration.speech.child_processes import is_there
from tests.support.polling import eventually


@dataclass
class HostedBench:
    """Holds jobs by stopping the processes that would do them."""

    engine: HostedEngine
    job: SpeechJob
    differently: Mapping[str, SpeechJob]
    ignored: Mapping[str, float] = field(default_factory=lambda: {"top_k": 5, "repetition_penalty": 1.7})
    held: frozenset[int] = frozenset()

    async def hold(self) -> None:
        async def complete() -> bool:
            return len(self.engine.process_ids) == self.engine._hosting.processes

        await eventually(complete, what="all processes")
        self.held = self.engine.process_ids
        for pid in self.held:
            os.kill(pid, signal.SIGSTOP)

    def release(self) -> None:
        for pid in self.held:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.held = frozenset()

    def break_down(self) -> None:
        for pid in self._working():
            os.kill(pid, signal.SIGKILL)

    async def working(self) -> bool:
        return bool(self._working())

    def _working(self) -> list[int]:
        busy = {process.pid for process in self.engine._living if process.busy}
        return [pid for pid in self.held & busy if is_there(pid)]
