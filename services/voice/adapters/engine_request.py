"""The other side of `engine_child`: reads one request on stdin and answers it on stdout.

The process has an eSpeak NG of its own, of which it can hold only one, and gives way to whatever else wants the cores.
A frame, either way, is the length of a JSON header in four bytes, the header, and bytes that belong to it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from libs.niceness import step_back
from libs.speech.espeak_native import Espeak

_NICENESS = 5


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What is asked of this process, and where the answer goes."""

    espeak: Espeak
    header: dict[str, Any]  # Any: JSON
    body: bytes
    _replies: BinaryIO

    def limit(self) -> None:
        """Take no more from now on than the request allows: what nothing in a recording can lift."""
        limits = self.header["limits"]
        step_back(_NICENESS)
        memory = _memory_in_use() + limits["memory_bytes"]
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        signal.setitimer(signal.ITIMER_REAL, limits["wall_seconds"])  # its default action ends the process

    def answer(self, header: dict[str, Any], body: bytes = b"") -> None:  # Any: JSON
        """Answer it."""
        encoded = json.dumps(header, allow_nan=False).encode()
        self._replies.write(len(encoded).to_bytes(4) + encoded + body)
        self._replies.flush()


def receive() -> EngineRequest:
    """Read the request that this process is for, and start its engine."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # stdout is for the reply alone: what a library prints goes to stderr instead
    content = sys.stdin.buffer.read()
    size = int.from_bytes(content[:4])
    return EngineRequest(Espeak(), json.loads(content[4 : 4 + size]), content[4 + size :], replies)


def _memory_in_use() -> int:
    """Bytes of address space."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
