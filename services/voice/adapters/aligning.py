"""Aligning, from outside: one process for each recording, so many at a time."""

from __future__ import annotations

import array
import asyncio

from services.voice.adapters.engine_child import ChildFailed, ChildLimits, ask_child
from services.voice.domain.alignments import Aligned, AligningFailed, Recording

_MODULE = "services.voice.adapters.aligning_process"
AT_ONCE = 2
LIMITS = ChildLimits(wall_seconds=120.0, cpu_seconds=90)


class Aligner:
    """Aligns at most `AT_ONCE` recordings at a time; others wait. Belongs to one event loop."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def align(self, recording: Recording, *, limits: ChildLimits = LIMITS) -> Aligned:
        """Find when each character of its text is spoken. Cancelling the call ends the work. Raises AligningFailed."""
        header = {"sample_rate": recording.sample_rate, "language": recording.language, "text": recording.text}
        async with self._slots:
            try:
                found, packed = await ask_child(_MODULE, header, recording.pcm, limits)
            except ChildFailed as failure:
                raise AligningFailed(str(failure)) from failure
        times = array.array("d", packed)
        half = len(times) // 2
        return Aligned(times[:half], times[half:], found["agreement"], found["language"])
