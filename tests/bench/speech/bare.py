"""The baseline: an HTTP server in front of the same engine processes that answers the audio and stores nothing.

As a program (`python -m tests.bench.speech.bare PROCESSES VOICE`) it says its address in a line on standard output and
serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import orjson
import psutil
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.encoding import Joiner, parse_output_format
from libs.speech.engine import RenderJob
from libs.speech.espeak import EspeakEngine
from tests.support.stack import ROOT


@dataclass(frozen=True)
class Bare:
    """A running baseline."""

    url: str
    process: psutil.Process


@contextmanager
def running_bare(processes: int, voice: str) -> Iterator[Bare]:
    """Run the baseline with so many engine processes, speaking with the system voice of that name."""
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.speech.bare", str(processes), voice],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        url = program.stdout.readline().strip()
        if not url:
            raise RuntimeError("the bare server did not start; its standard error says why")
        yield Bare(url, psutil.Process(program.pid))
    finally:
        program.stdin.close()
        program.wait(timeout=20)
        program.stdout.close()


async def _run(processes: int, voice: str) -> None:
    engine = EspeakEngine(processes)
    await engine.start()
    settings = next(one for one in SYSTEM_VOICES if one.name == voice).profile.to_settings()

    async def speak(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        form = parse_output_format(asked["format"])
        rendered = await engine.render(RenderJob(text=asked["text"], voice=settings, form=form))
        joiner = Joiner(form, rendered.samples)
        audio = b"".join((joiner.head(), joiner.add(rendered.segment), joiner.finish()))
        return Response(audio, media_type=form.content_type)

    door = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(
        Starlette(routes=[Route("/", speak, methods=["POST"])]),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,  # as the measured system: its clients' connections rest while the other one is asked
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[door]))
    print(f"http://127.0.0.1:{door.getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    with suppress(asyncio.CancelledError):
        await serving
    await engine.close()


if __name__ == "__main__":
    uvloop.run(_run(int(sys.argv[1]), sys.argv[2]))
