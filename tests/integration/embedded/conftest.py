"""Stacks of stand-ins in processes of their own, which tests may treat badly."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import leftovers
from deploy.embedded.home import Home
from deploy.embedded.ports import read_ports
from deploy.embedded.processes import is_running
from deploy.embedded.record import ProcessRecord, StackRecord, read_record
from deploy.embedded.seaweed import SeaweedFS
from tests.support.polling import eventually


class StandinStack:
    """One stack of stand-ins: starts it, looks at it, and ends it however that goes."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self.port = free_port()
        self.output = path.with_suffix(".out")
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, *modules: str) -> None:
        arguments = [sys.executable, "-m", "tests.support.standin.stack", str(self.home.path), str(self.port), *modules]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(arguments, stdout=output, stderr=output, start_new_session=True)

    async def start(self, *modules: str) -> StackRecord:
        """Start it and wait until all is ready."""
        self.launch(*modules)

        async def is_ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.said()
            return "READY" in self.said()

        await eventually(is_ready, within=30, what="a ready stack")
        return self.record()

    def said(self) -> str:
        return self.output.read_text()

    def record(self) -> StackRecord:
        record = read_record(self.home)
        assert record is not None
        return record

    async def recovered(self, name: str, pid: int) -> ProcessRecord:
        """The process of this name once it is ready again under another pid."""

        async def look() -> ProcessRecord | None:
            process = self.record().processes[name]
            return process if process.pid != pid and process.state == "ready" else None

        found = await eventually(look, within=20, what=f"a new {name}")
        assert found is not None
        return found

    def ask(self, name: str, path: str) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self.record().processes[name].port, timeout=5)
        with closing(connection):
            connection.request("GET", path)
            content: dict[str, Any] = json.load(connection.getresponse())
            return content

    async def exit_code(self) -> int:
        process = self.process
        assert process is not None

        async def poll() -> bool:
            return process.poll() is not None

        await eventually(poll, within=30, what="the end of the supervisor")
        return process.returncode

    async def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await self.exit_code()

    def clean_up(self) -> None:
        """Leave nothing behind, whatever the test has done."""
        record = read_record(self.home)
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for leftover in leftovers.find_leftovers(self.home.path, record.pids() if record else ()):
            with suppress(ProcessLookupError):
                os.kill(leftover.pid, signal.SIGKILL)
        if ports := read_ports(self.home.ports_file):
            SeaweedFS(self.home, ports).remove_sockets()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def kill(record: ProcessRecord) -> None:
    os.kill(record.pid, signal.SIGKILL)


async def gone(pid: int, identity: str | None) -> None:
    async def look() -> bool:
        return not is_running(pid, identity)

    await eventually(look, within=10, what=f"the end of process {pid}")


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[Callable[[str], StandinStack]]:
    """Makes stacks, each in a home of its own under a directory that nobody else may enter."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    made: list[StandinStack] = []

    def make(name: str) -> StandinStack:
        made.append(StandinStack(closed / name))
        return made[-1]

    yield make
    for stack in made:
        stack.clean_up()


@pytest.fixture
def stack(new_stack: Callable[[str], StandinStack]) -> StandinStack:
    return new_stack("home")
