"""The bounded process: reads requests on stdin, answers on stdout. Started by `BoundedPool`.

Readers of files have bugs, and files are made to find them. So each file gets a fork of this process, with limits of
its own: a crash, a hang or a bomb loses that file alone, and what it did to memory is gone with it. The fork can open
nothing, neither file nor socket. If it does not end well, this process ends the same way: the parent learns it from the
status.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from libs.bounded.wire import EXIT_MEMORY, PREFIX, Bounds, pack

# Any: what JSON holds.
Answer = Callable[[Mapping[str, Any], bytes], tuple[Mapping[str, Any], bytes]]
"""From what is asked and a file to what is answered: a header and a body."""


def serve(prepare: Callable[[], Answer]) -> None:
    """Answer requests until stdin closes, each by what `prepare` returns.

    `prepare` imports and opens all that an answer needs: within its limits a fork can open no file.
    """
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # stdout is for replies alone: what a library prints goes to stderr instead
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a signal to the whole group is for the parent
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answer = prepare()
    gc.collect()  # what it is done with may have threads, and a process that forks may have no second one
    _send(replies, {}, b"")
    while request := _receive(sys.stdin.buffer):
        _end_like(_in_a_fork(*request, answer, replies))


def limit(bounds: Bounds) -> None:
    """Set what nothing in a file can lift.

    Files, sockets and processes are out of reach; memory and time have an end.
    """
    memory = _memory_in_use() + bounds.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # At the soft limit comes SIGXCPU, which says why; at the hard one SIGKILL, which does not.
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_seconds, bounds.cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    signal.setitimer(signal.ITIMER_REAL, bounds.wall_seconds)  # its default action ends the process


# Any: what JSON holds.
def _in_a_fork(asked: Mapping[str, Any], content: bytes, answer: Answer, replies: BinaryIO) -> int:
    """Answer one request in a process of its own; its status."""
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    try:
        limit(Bounds(**asked["bounds"]))
        _send(replies, *answer(asked["asked"], content))
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except BaseException:  # noqa: BLE001, a fork must not return into its parent's loop
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _end_like(status: int) -> None:
    """End with the status of a fork that did not end well."""
    code = os.waitstatus_to_exitcode(status)
    if code:
        _exit(128 - code if code < 0 else code)


def _exit(code: int) -> NoReturn:
    os._exit(code)


def _memory_in_use() -> int:
    """Bytes of address space."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()


def _receive(requests: BinaryIO) -> tuple[dict[str, Any], bytes] | None:  # Any: JSON
    """The next request; None when the parent has closed the pipe, also in the middle of one."""
    prefix = requests.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    header_bytes, body_bytes = PREFIX.unpack(prefix)
    header, body = requests.read(header_bytes), requests.read(body_bytes)
    if len(header) < header_bytes or len(body) < body_bytes:
        return None
    return json.loads(header), body


def _send(replies: BinaryIO, header: Mapping[str, Any], body: bytes) -> None:  # Any: JSON
    replies.write(pack(header, len(body)))
    replies.write(body)
    replies.flush()
