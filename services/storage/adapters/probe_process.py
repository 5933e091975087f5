"""Looks into one file. Run by `services.storage.adapters.probing`, whose process may be lost.

    python -m services.storage.adapters.probe_process

Decoders have bugs, and files are made to find them. The process can open nothing, neither file nor socket: what it
reads of the file it asks for on stdout and gets on stdin.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import struct
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from libs.bounded.pdf import load_pdf_reader
from services.storage.adapters.contents import look_into
from services.storage.domain.content import ContentRefused, MediaKind

PREFIX = struct.Struct("<I")
BLOCK_BYTES = 2**20
"""What is asked for at once."""
_DOT = (
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6368"
    "00000082008177cd72b60000000049454e44ae426082"
)
"""A picture of one point, as PNG."""


class Remote(io.RawIOBase):
    """The file, read block by block as it is needed."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO, size: int) -> None:
        self._requests = requests
        self._replies = replies
        self._size = size
        self._position = 0
        self._start, self._block = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:  # Any: whatever has a buffer, as in the class that is extended
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        if not self._start <= self._position < self._start + len(self._block):
            self._fetch()
        behind = self._position - self._start
        found = self._block[behind : behind + wanted]
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)

    def _fetch(self) -> None:
        start = self._position - self._position % BLOCK_BYTES
        length = min(BLOCK_BYTES, self._size - start)
        _send(self._replies, {"offset": start, "length": length})
        # Waiting is none of the time that a file may have; whoever is waited for sees to it that it ends.
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        block = self._requests.read(length)
        signal.setitimer(signal.ITIMER_REAL, left)
        if len(block) < length:
            os._exit(1)  # whoever asked is gone
        self._start, self._block = start, block


def main() -> None:
    """Answer one request."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # stdout is for replies alone: what a library prints goes to stderr instead
    requests = sys.stdin.buffer
    (length,) = PREFIX.unpack(requests.read(PREFIX.size))
    request = json.loads(requests.read(length))
    _warm_up(MediaKind(request["kind"]))
    _limit(request)
    file = io.BufferedReader(Remote(requests, replies, request["size"]), 1 << 16)
    try:
        found = look_into(file, request["size"], MediaKind(request["kind"]), request["content_type"])
    except ContentRefused as refusal:
        _send(replies, {"refused": str(refusal)})
    else:
        _send(replies, {"found": asdict(found)})
    os._exit(0)


def _warm_up(kind: MediaKind) -> None:
    """Look into a file of our own: libraries load what they need when they first need it, and later nothing can be."""
    files: list[tuple[bytes, MediaKind]]
    if kind is MediaKind.DOCUMENT:
        load_pdf_reader()
        files = [("\ufeffwords".encode(), kind)]
    else:
        form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
        chunks = b"".join(
            name + struct.pack("<I", len(body)) + body for name, body in ((b"fmt ", form), (b"data", bytes(16000)))
        )
        wave = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
        files = [(wave, MediaKind.AUDIO), (bytes.fromhex(_DOT), MediaKind.IMAGE)]
    for content, what in files:
        look_into(io.BytesIO(content), len(content), what, "text/plain")


def _send(replies: BinaryIO, message: dict[str, Any]) -> None:  # Any: JSON
    encoded = json.dumps(message, allow_nan=False).encode()
    replies.write(PREFIX.pack(len(encoded)) + encoded)
    replies.flush()


def _limit(limits: dict[str, Any]) -> None:  # Any: JSON
    """What nothing in the file can lift. Files, sockets and processes are out of reach; memory and time have an end."""
    in_use = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    memory = in_use + limits["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # At the soft limit comes SIGXCPU, which says why; at the hard one SIGKILL, which does not.
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    signal.setitimer(signal.ITIMER_REAL, limits["wall_seconds"])  # its default action ends the process


if __name__ == "__main__":
    main()
