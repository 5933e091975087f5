"""A stack whose programs reach the servers through links that can be cut.

As a program (`python -m tests.chaos.proxied '{"nats": 4001, ...}'`) it supervises one, as `antiphon up` does, whose
programs are given these ports instead of the servers' own.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from deploy.embedded.home import find_home
from deploy.embedded.supervisor import Supervisor
from tests.chaos.proxy import Link
from tests.chaos.schedule import SERVERS
from tests.support.faulty_s3 import FaultyS3, faulty_s3
from tests.support.stack import ROOT, Stack, free_port

UP_SECONDS = 120.0
DOWN_SECONDS = 60.0


@asynccontextmanager
async def proxied_stack(extra: Mapping[str, str]) -> AsyncIterator[tuple[Stack, dict[str, Link]]]:
    """Run a stack in a temporary directory; yields it and its links by the servers' names."""
    with _new_stack(extra) as stack:
        links = {server: Link(_port_of(stack, server)) for server in SERVERS}
        ports = {server: await link.listen() for server, link in links.items()}
        try:
            async with _supervised(stack, ports):
                yield stack, links
        finally:
            for link in links.values():
                await link.close()


@asynccontextmanager
async def stack_with_faulty_s3(extra: Mapping[str, str]) -> AsyncIterator[tuple[Stack, FaultyS3]]:
    """Run a stack in a temporary directory, before whose object store something answers as one is told."""
    with _new_stack(extra) as stack:
        port = _port_of(stack, "s3")
        async with faulty_s3(lambda: f"http://127.0.0.1:{port()}") as s3, _supervised(stack, {"s3": s3.port}):
            yield stack, s3


@contextmanager
def _new_stack(extra: Mapping[str, str]) -> Iterator[Stack]:
    home = Path(tempfile.mkdtemp(prefix="antiphon-chaos-"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANTIPHON_", "OTEL_"))}
    try:
        yield Stack(home, {**inherited, "ANTIPHON_HOME": str(home), "ANTIPHON_PORT": str(free_port()), **extra})
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _port_of(stack: Stack, server: str) -> Callable[[], int]:
    return lambda: int(stack.record["processes"][server]["port"])


@asynccontextmanager
async def _supervised(stack: Stack, ports: Mapping[str, int]) -> AsyncIterator[None]:
    """Run a stack whose programs are given these ports for the servers'."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chaos.proxied",
        json.dumps(ports),
        cwd=ROOT,
        env=stack.environment,
        stdout=asyncio.subprocess.PIPE,
    )
    reading: asyncio.Task[bytes] | None = None
    try:
        await asyncio.wait_for(_until_ready(program), UP_SECONDS)
        assert program.stdout is not None
        reading = asyncio.create_task(program.stdout.read())
        yield
    finally:
        if program.returncode is None:
            program.send_signal(signal.SIGTERM)
        await asyncio.wait_for(program.wait(), DOWN_SECONDS)
        if reading is not None:
            await reading


async def _until_ready(program: asyncio.subprocess.Process) -> None:
    assert program.stdout is not None
    said: list[str] = []
    while line := (await program.stdout.readline()).decode():
        if line == "ready\n":
            return
        said.append(line)
    raise RuntimeError(f"the stack did not start:\n{''.join(said)}")


def main() -> None:
    """Supervise until a signal ends it."""
    seen: dict[str, int] = json.loads(sys.argv[1])
    home, port = find_home(), int(os.environ["ANTIPHON_PORT"])
    home.prepare()

    async def ready() -> None:
        print("ready", flush=True)

    def say(text: str) -> None:
        with home.open_log("supervisor") as log:
            log.write(f"{text}\n".encode())

    with home.locked():
        supervisor = Supervisor(home, gateway_port=port, announce=say, route=lambda ports: {**ports, **seen})
        asyncio.run(supervisor.run(ready))


if __name__ == "__main__":
    main()
