"""Clients that cost little: processes that send one prepared request again and again, over connections that stay.

As a program (`python -m tests.bench.gateway.load`, a `Task` as JSON on standard input) it is one of them. It does no
more than it must to find an answer's end: about 20,000 requests a second a process, several times what it measures.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast
from urllib.parse import urlsplit

import uvloop

START_SECONDS = 0.7
SAMPLES = 2000


@dataclass(frozen=True)
class Task:
    """What one process does: it asks `url` over `connections` for `seconds`, beginning at `begin` (time.time())."""

    url: str
    headers: Mapping[str, str]
    connections: int
    seconds: float
    begin: float


@dataclass(frozen=True)
class Load:
    """What came of it: answers, answers a second, and the median time to an answer in milliseconds.

    `busy` is the share of its core that the busiest client used: near 1 it was the client that was measured.
    """

    count: int
    rate: float
    median: float
    busy: float


async def load(
    url: str, headers: Mapping[str, str], *, connections: int, processes: int = 1, seconds: float = 3.0
) -> Load:
    """Ask with so many connections from each of so many processes; raises when an answer is not a 200."""
    task = Task(url, headers, connections, seconds, begin=time.time() + START_SECONDS)
    clients = await asyncio.gather(*(asyncio.to_thread(_client, task) for _ in range(processes)))
    count = sum(client.count for client in clients)
    median = statistics.median([one for client in clients for one in client.milliseconds])
    return Load(count, count / seconds, median, max(client.cpu for client in clients) / seconds)


@dataclass(frozen=True)
class _Told:
    """What one client process says of itself; `milliseconds` are at most SAMPLES of the times, `cpu` is in seconds."""

    count: int
    milliseconds: Sequence[float]
    cpu: float


def _client(task: Task) -> _Told:
    command = [sys.executable, "-m", "tests.bench.gateway.load"]
    ended = subprocess.run(command, input=json.dumps(asdict(task)), text=True, capture_output=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"a client failed: {ended.stderr[-500:]}")
    return _Told(**json.loads(ended.stdout))


class Client(asyncio.Protocol):
    """One connection: the next request goes out when the answer is whole."""

    def __init__(self, request: bytes, until: float) -> None:
        self.times: list[float] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._until = until
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def begin(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0 or not self._is_whole(head):
            return
        now = time.perf_counter()
        if not self._received.startswith(b"HTTP/1.1 200 "):
            self.ended.set_exception(RuntimeError(self._received[:300].decode("latin-1")))
            return
        self._received = b""
        self.times.append(now - self._sent_at)
        if now < self._until:
            self.begin()
        else:
            self.ended.set_result(None)

    def _is_whole(self, head: int) -> bool:
        at = self._received.find(b"content-length: ", 0, head)
        if at < 0:
            return self._received.endswith(b"\r\n0\r\n\r\n")
        length = int(self._received[at + 16 : self._received.index(b"\r\n", at)])
        return len(self._received) >= head + 4 + length


def request_of(url: str, headers: Mapping[str, str]) -> tuple[bytes, str, int]:
    """Return a GET as it is sent, and the host and port to send it to."""
    parts = urlsplit(url)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    lines = [f"GET {target} HTTP/1.1", f"host: {parts.netloc}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode(), parts.hostname or "", parts.port or 80


async def _run(task: Task) -> _Told:
    request, host, port = request_of(task.url, task.headers)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(0.0, task.begin - time.time() - 0.2))
    until = time.perf_counter() + task.begin - time.time() + task.seconds
    clients = []
    for _ in range(task.connections):
        _, client = await loop.create_connection(lambda: Client(request, until), host, port)
        clients.append(client)
    await asyncio.sleep(max(0.0, task.begin - time.time()))
    before = time.process_time()
    for client in clients:
        client.begin()
    await asyncio.gather(*(client.ended for client in clients))
    cpu = time.process_time() - before
    times = [one * 1000 for client in clients for one in client.times]
    return _Told(len(times), times[:: len(times) // SAMPLES + 1], cpu)


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_run(Task(**json.loads(sys.stdin.read())))))))
