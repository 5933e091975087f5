"""A second gateway beside a stack's own, for tests that end it and start it again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp

from deploy.embedded.environment import program_environment
from deploy.embedded.home import Home
from deploy.embedded.programs import PROGRAMS
from tests.support.polling import eventually
from tests.support.stack import ROOT, Stack, free_port

_GATEWAY = next(program for program in PROGRAMS if program.name == "gateway")
READY_SECONDS = 60.0


@dataclass
class Replica:
    """A gateway on a port of its own, with the environment of the stack's."""

    stack: Stack
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        processes = self.stack.record["processes"]
        ports = {name: process["port"] for name, process in processes.items() if process.get("port")}
        ports["nats_monitor"] = ports.get("nats_monitor", ports["nats"])
        environment = program_environment(_GATEWAY, Home(self.stack.home), ports | {"gateway": self.port}, os.environ)
        with (self.stack.home / "logs" / "gateway-replica.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _GATEWAY.module], env=environment, cwd=ROOT, stdout=log, stderr=log
            )

    async def until_ready(self) -> None:
        async def is_ready() -> bool:
            try:
                async with aiohttp.ClientSession() as session, session.get(f"{self.url}/readyz") as response:
                    return response.status == 200
            except aiohttp.ClientError:
                return False

        await eventually(is_ready, within=READY_SECONDS, every=0.1, what="the second gateway")

    def kill(self) -> None:
        """End it without notice."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@contextmanager
def second_gateway(stack: Stack) -> Iterator[Replica]:
    """Run a second gateway while the block runs."""
    replica = Replica(stack)
    replica.start()
    try:
        yield replica
    finally:
        replica.kill()
