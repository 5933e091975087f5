"""A client that asks at a steady rate, however long the answers take, in a process of its own.

As a program (`python -m tests.chaos.steady`, a `Task` as JSON on standard input) it is that client.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import uvloop

from tests.support.api import Api

PATH = "/v1/voices/categories"


@dataclass(frozen=True)
class Task:
    """Whom to ask with which key, how many times a second, for how many seconds."""

    url: str
    key: str
    a_second: float
    seconds: float


@dataclass(frozen=True)
class Seen:
    """The status of each answer, and after how many milliseconds it came."""

    answers: list[tuple[int, float]]

    def p99(self, status: int = 200) -> float:
        """Of 100 answers with `status`, 99 took less."""
        times = sorted(took for answered, took in self.answers if answered == status)
        return times[min(len(times) - 1, len(times) * 99 // 100)]

    def count(self, status: int) -> int:
        """Return how many answers had `status`."""
        return sum(answered == status for answered, _ in self.answers)


async def asking(task: Task) -> Seen:
    """Ask from another process, so that no client's work is measured as the server's; raises when it fails."""
    return await asyncio.to_thread(_client, task)


def _client(task: Task) -> Seen:
    command = [sys.executable, "-m", "tests.chaos.steady"]
    ended = subprocess.run(command, input=json.dumps(asdict(task)), text=True, capture_output=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"the client failed: {ended.stderr[-1000:]}")
    return Seen([(status, took) for status, took in json.loads(ended.stdout)])


async def _ask(task: Task) -> list[tuple[int, float]]:
    answers: list[tuple[int, float]] = []

    async def ask(api: Api) -> None:
        asked = time.perf_counter()
        answer = await api.get(PATH)
        answers.append((answer.status, 1000 * (time.perf_counter() - asked)))

    async with Api(task.url, task.key) as api, asyncio.TaskGroup() as tasks:
        begun = time.perf_counter()
        for number in range(int(task.a_second * task.seconds)):
            await asyncio.sleep(max(0.0, begun + number / task.a_second - time.perf_counter()))
            tasks.create_task(ask(api))
    return answers


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_ask(Task(**json.loads(sys.stdin.read()))))))
