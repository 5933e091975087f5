"""The baseline: an HTTP server in front of the same engine processes that answers the audio and stores nothing.

As a program (`python -m tests.bench.speech.bare PROCESSES VOICE`) it says its address in a line on standard output and
serves until its standard input closes. With `keep` behind that it does the least that can be called storing: one object
and one row each, in the object store and the database that the environment names, before it answers.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass

import asyncpg
import orjson
import psutil
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.ids import new_id
from libs.objectstore import ObjectStore, ObjectStoreAddress
from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.encoding import Joiner, parse_output_format
from libs.speech.engine import RenderJob
from libs.speech.espeak import EspeakEngine
from tests.support.stack import ROOT

Keep = Callable[[bytes, str, bytes], Awaitable[None]]
"""Stores audio, its type, and what was asked."""


@dataclass(frozen=True)
class Bare:
    """A running baseline."""

    url: str
    process: psutil.Process


@contextmanager
def running_bare(processes: int, voice: str, keeping: Mapping[str, str] | None = None) -> Iterator[Bare]:
    """Run the baseline with so many engine processes, speaking with the system voice of that name.

    `keeping` are the exports of the stack in whose object store and database it stores what it speaks; None stores
    nothing.
    """
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.speech.bare", str(processes), voice, *(["keep"] if keeping else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        env={**os.environ, **(keeping or {})},
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


@asynccontextmanager
async def _keeping() -> AsyncIterator[Keep]:
    """Yield what stores: an object, and a row that is durable when it returns."""
    variables = ("ENDPOINT", "REGION", "BUCKET", "ACCESS_KEY", "SECRET_KEY")
    objects = ObjectStore(ObjectStoreAddress(*(os.environ[f"ANTIPHON_S3_{name}"] for name in variables)))
    async with asyncpg.create_pool(os.environ["ANTIPHON_POSTGRES_ADMIN_URL"], min_size=8, max_size=8) as rows:
        await rows.execute("create table if not exists bare (id uuid primary key, asked jsonb, object_key text)")

        async def keep(audio: bytes, content_type: str, asked: bytes) -> None:
            name = new_id()
            await objects.put(f"bare/{name}", audio, content_type)
            await rows.execute("insert into bare values ($1, $2, $3)", name, asked.decode(), f"bare/{name}")

        yield keep
    await objects.close()


async def _run(processes: int, voice: str, *, keeps: bool) -> None:
    async with _keeping() if keeps else nullcontext() as keep:
        await _serve(processes, voice, keep)


async def _serve(processes: int, voice: str, keep: Keep | None) -> None:
    engine = EspeakEngine(processes)
    await engine.start()
    settings = next(one for one in SYSTEM_VOICES if one.name == voice).profile.to_settings()

    async def speak(request: Request) -> Response:
        body = await request.body()
        asked = orjson.loads(body)
        form = parse_output_format(asked["format"])
        rendered = await engine.render(RenderJob(text=asked["text"], voice=settings, form=form))
        joiner = Joiner(form, rendered.samples)
        audio = b"".join((joiner.head(), joiner.add(rendered.segment), joiner.finish()))
        if keep is not None:
            await keep(audio, form.content_type, body)
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
    uvloop.run(_run(int(sys.argv[1]), sys.argv[2], keeps="keep" in sys.argv[3:]))
