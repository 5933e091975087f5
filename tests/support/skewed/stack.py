"""Starting a whole stack in which one process has a wrong clock.

As a program (`python -m tests.support.skewed.stack HOME PORT NAME`) it runs the stack until a signal ends it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from deploy.cli.stack import run_stack
from deploy.embedded.home import Home
from deploy.embedded.programs import PROGRAMS, Program
from tests.support.polling import eventually
from tests.support.skewed import service
from tests.support.stack import Stack, free_port

UP_SECONDS = 120


def programs(name: str) -> list[Program]:
    """The stack's programs, of which one has a wrong clock."""
    return [replace(one, module=service.__name__) if one.name == name else one for one in PROGRAMS]


@asynccontextmanager
async def skewed_stack(name: str, seconds: float) -> AsyncIterator[Stack]:
    """Run a stack in which the clock of the process `name` is `seconds` ahead."""
    home = Path(tempfile.mkdtemp(prefix="antiphon-skewed-"))
    port = free_port()
    (module,) = (one.module for one in PROGRAMS if one.name == name)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ANTIPHON_", "OTEL_"))}
    environment = {
        **inherited,
        "ANTIPHON_HOME": str(home),
        "ANTIPHON_PORT": str(port),
        "ANTIPHON_ENGINE_PROCESSES": "2",
        service.MODULE: module,
        service.SECONDS: str(seconds),
    }
    said = home.with_suffix(".out")
    with said.open("wb") as output:
        supervisor = subprocess.Popen(  # noqa: ASYNC220 - it starts within a millisecond
            [sys.executable, "-m", "tests.support.skewed.stack", str(home), str(port), name],
            env=environment,
            stdout=output,
            stderr=output,
        )

    async def is_ready() -> bool:
        assert supervisor.poll() is None, said.read_text()
        return "READY" in said.read_text()

    try:
        await eventually(is_ready, within=UP_SECONDS, what="a ready stack")
        yield Stack(home, environment)
    finally:
        supervisor.terminate()
        await asyncio.to_thread(supervisor.wait, 60)
        shutil.rmtree(home, ignore_errors=True)
        said.unlink()


if __name__ == "__main__":
    folder, number, skewed = sys.argv[1:]
    run_stack(
        Home(Path(folder)),
        int(number),
        lambda text: print(text, flush=True),
        lambda: print("READY", flush=True),
        programs(skewed),
    )
