"""The child's side of the pipes between a worker and the processes that speak: frames as `espeak_wire` describes them.

Standard library alone: a model may run in another environment than ours.
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Mapping
from typing import Any, BinaryIO

from libs.speech.espeak_wire import PREFIX, pack_prefix


def claim_stdout() -> BinaryIO:
    """Stdout for replies alone: what a library prints goes to stderr instead."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return replies


def leave_signals_to_the_worker() -> None:
    """A signal to the whole group is for the worker, which finishes its jobs and then closes stdin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def die_with_worker() -> None:
    """End at once when the worker is gone, even in the middle of a job that would take long; runs in a thread."""
    hang_up = select.poll()
    hang_up.register(0, 0)
    hang_up.poll()
    os._exit(0)


def receive(requests: BinaryIO) -> tuple[Any, bytes] | None:
    """The next frame's header, whatever JSON it is, and body.

    None when the worker has closed the pipe, also in the middle of a frame.
    """
    prefix = requests.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    header_bytes, body_bytes = PREFIX.unpack(prefix)
    header, body = requests.read(header_bytes), requests.read(body_bytes)
    if len(header) < header_bytes or len(body) < body_bytes:
        return None
    return json.loads(header), body


def send(replies: BinaryIO, header: Mapping[str, object], *body: bytes | memoryview) -> None:
    """Send a frame."""
    replies.write(pack_prefix(header, sum(map(len, body))))
    replies.writelines(body)
    replies.flush()
