"""Whether a relay and a consumer grow with the events that pass through them.

As a program (`python -m tests.bench.backbone.memory relay|consumer`, the servers as JSON on standard input) it is
one of the two measured processes.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import psutil
import uvloop
from nats.js.api import DeliverPolicy

from tests.bench.backbone.applying import Commits, _projecting
from tests.bench.backbone.events import empty, fill_outbox, until
from tests.bench.harness import Row, row
from tests.support.scratch import STREAM, Scratch, scratch_database
from tests.support.servers import Servers

EVENTS, CHUNK, SIZE = 1_000_000, 20_000, 256
WARM_UP = 100_000
"""After so many events the caches are full; growth is counted from there."""


async def measure(scratch: Scratch) -> list[Row]:
    """Send and apply a million events and compare the memory after the first tenth with that at the end."""
    await scratch.bus.jetstream.purge_stream(STREAM)
    await empty(scratch, "outbox", "outbox_sent", "applied", "inbox")
    samples: dict[str, list[tuple[int, float]]] = {"relay": [], "consumer": []}
    with ExitStack() as stack:
        processes = {role: stack.enter_context(_process(role, scratch)) for role in samples}
        for sent in range(CHUNK, EVENTS + 1, CHUNK):
            await fill_outbox(scratch, CHUNK, SIZE)
            await until(scratch, "(select last_value from applied_position_seq) >= $1", sent)
            for role, process in processes.items():
                samples[role].append((sent, process.memory_info().rss / 2**20))
            # The archive is the disk's affair, not what is measured here.
            await empty(scratch, "outbox_sent", "applied")
    rows = []
    for role, seen in samples.items():
        warm = [size for sent, size in seen if WARM_UP <= sent <= 2 * WARM_UP]
        late = [size for sent, size in seen if sent > EVENTS - WARM_UP]
        name = f"memory of the {role} after {EVENTS:,} events against {WARM_UP:,}"
        rows.append(row(name, late, "MB", baseline=warm, at_most=1.1))
    return rows


@contextmanager
def _process(role: str, scratch: Scratch) -> Iterator[psutil.Process]:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.backbone.memory", role], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    where = asdict(scratch.servers) | {"home": str(scratch.servers.home)}
    program.stdin.write(json.dumps({"servers": where, "database": scratch.name}).encode() + b"\n")
    program.stdin.flush()
    program.stdout.readline()
    try:
        yield psutil.Process(program.pid)
    finally:
        program.stdin.close()
        program.wait(timeout=20)
        program.stdout.close()


async def _run(role: str) -> None:
    told = json.loads(sys.stdin.readline())
    servers = Servers(**(told["servers"] | {"home": Path(told["servers"]["home"])}))
    async with scratch_database(servers, told["database"]) as scratch:
        running = scratch.relaying() if role == "relay" else _projecting(scratch, Commits(), DeliverPolicy.ALL)
        async with running:
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_run(sys.argv[1]))
