"""The decoding process: reads requests on stdin, answers on stdout. Run by `libs.audio.intake`.

    python -m libs.audio.decode_process

Decoders have bugs, and files are made to find them. So each file gets a fork of this process, with limits of its own: a
crash, a hang or a bomb loses that file alone, and what it did to memory is gone with it. The fork can open nothing,
neither file nor socket. If it does not end well, this process ends the same way: the parent learns it from the status.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import numpy as np

from libs.audio.decoding import NotAudio
from libs.audio.examining import examine
from libs.audio.speech_detector import SpeechDetector
from libs.audio.wire import EXIT_MEMORY, PREFIX, SAMPLE_RATE, Decoded, Ready, Refused, Reply, Request, pack


def main() -> None:
    """Serve requests until stdin closes."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # stdout is for replies alone: what a library prints goes to stderr instead
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a signal to the whole group is for the parent
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    detector = SpeechDetector()
    examine(_warm_up(), detector, most_seconds=2.0)
    _send(replies, Ready(kind="ready"))
    while request := _receive(sys.stdin.buffer):
        _end_like(_in_a_fork(*request, detector, replies))


def _in_a_fork(limits: Request, content: bytes, detector: SpeechDetector, replies: BinaryIO) -> int:
    """Answer one request in a process of its own; its status."""
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    try:
        _limit(limits)
        reply, pcm = _answer(content, detector, limits["audio_seconds"])
        _send(replies, reply, pcm)
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


def _limit(limits: Request) -> None:
    """What nothing in the file can lift. Files, sockets and processes are out of reach; memory and time have an end."""
    memory = _memory_in_use() + limits["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # At the soft limit comes SIGXCPU, which says why; at the hard one SIGKILL, which does not.
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    signal.setitimer(signal.ITIMER_REAL, limits["wall_seconds"])  # its default action ends the process


def _memory_in_use() -> int:
    """Bytes of address space."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()


def _answer(content: bytes, detector: SpeechDetector, most_seconds: float) -> tuple[Reply, bytes]:
    try:
        report, pcm = examine(content, detector, most_seconds=most_seconds)
    except NotAudio as reason:
        return Refused(kind="refused", message=str(reason)), b""
    return Decoded(kind="decoded", report=asdict(report)), pcm


def _warm_up() -> bytes:
    """A second of noise as a WAV file: loads before the first fork what its limits would keep it from loading."""
    noise = np.random.default_rng(0).integers(-3000, 3000, SAMPLE_RATE, np.int16).tobytes()
    form = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    chunks = b"".join(name + struct.pack("<I", len(body)) + body for name, body in ((b"fmt ", form), (b"data", noise)))
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _receive(requests: BinaryIO) -> tuple[Request, bytes] | None:
    """The next request; None when the parent has closed the pipe, also in the middle of one."""
    prefix = requests.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    header_bytes, body_bytes = PREFIX.unpack(prefix)
    header, body = requests.read(header_bytes), requests.read(body_bytes)
    if len(header) < header_bytes or len(body) < body_bytes:
        return None
    return cast("Request", json.loads(header)), body


def _send(replies: BinaryIO, header: Reply, body: bytes = b"") -> None:
    replies.write(pack(header, len(body)))
    replies.write(body)
    replies.flush()


if __name__ == "__main__":
    main()
