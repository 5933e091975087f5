"""One client that asks two servers in turn: what differs between them, whatever else the machine does meanwhile.

As a program (`python -m tests.bench.gateway.pairs`, a `Task` as JSON on standard input) it is that client.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import uvloop

from tests.bench.gateway.load import Client, request_of


@dataclass(frozen=True)
class Server:
    """Whom to ask for what."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    """Two servers, asked in turn for `seconds`, one request at a time."""

    first: Server
    second: Server
    seconds: float


@dataclass(frozen=True)
class Pairs:
    """The median time of each in milliseconds, and how many times each was asked."""

    first: float
    second: float
    count: int


async def paired(first: Server, second: Server, *, seconds: float = 3.0) -> Pairs:
    """Ask both in turn; raises when an answer is not a 200."""
    return await asyncio.to_thread(_client, Task(first, second, seconds))


def _client(task: Task) -> Pairs:
    command = [sys.executable, "-m", "tests.bench.gateway.pairs"]
    ended = subprocess.run(command, input=json.dumps(asdict(task)), text=True, capture_output=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"the client failed: {ended.stderr[-500:]}")
    return Pairs(**json.loads(ended.stdout))


async def _connected(server: Server) -> Client:
    request, host, port = request_of(server.url, server.headers)
    loop = asyncio.get_running_loop()
    # Until it is asked again: each request ends this client's turn.
    _, client = await loop.create_connection(lambda: Client(request, 0.0), host, port)
    return client


async def _run(task: Task) -> Pairs:
    clients = [await _connected(task.first), await _connected(task.second)]
    until = time.perf_counter() + task.seconds
    while time.perf_counter() < until:
        for client in clients:
            client.ended = asyncio.get_running_loop().create_future()
            client.begin()
            await client.ended
    first, second = (1000 * statistics.median(client.times) for client in clients)
    return Pairs(first, second, len(clients[0].times))


if __name__ == "__main__":
    given = json.loads(sys.stdin.read())
    wanted = Task(Server(**given["first"]), Server(**given["second"]), given["seconds"])
    print(json.dumps(asdict(uvloop.run(_run(wanted)))))
