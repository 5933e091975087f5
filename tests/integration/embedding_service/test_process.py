"""The process as it is run: alone, and forked from one that has imported everything beforehand."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from libs.ids import new_id
from libs.web import Caller
from libs.web.identity import HEADER, sign
from tests.integration.embedding_service.conftest import completed
from tests.support.broker import Broker
from tests.support.polling import eventually
from tests.support.servers import Servers

KEY = secrets.token_bytes(32)
HEAVY = {"numpy", "onnx", "onnxruntime", "safetensors", "tokenizers"}
ALONE = "from services.embedding.main import main; main()"
FORKED = """
import os, signal, sys
import services.embedding.main
child = os.fork()
if child == 0:
    services.embedding.main.main()
    sys.exit()
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def environment(servers: Servers, model_dir: Path, folder: Path) -> dict[str, str]:
    (folder / "identity").write_text(KEY.hex())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return servers.environment("embedding") | {
        "ANTIPHON_PORT": str(port),
        "ANTIPHON_IDENTITY_KEY_FILE": str(folder / "identity"),
        "ANTIPHON_MODEL_DIR": str(model_dir),
    }


@contextmanager
def running(script: str, variables: dict[str, str], log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", script], env=variables, stdout=output, stderr=output)
    try:
        yield process, f"http://127.0.0.1:{variables['ANTIPHON_PORT']}"
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


async def status(http: aiohttp.ClientSession, path: str) -> int:
    with suppress(aiohttp.ClientError):
        async with http.get(path) as response:
            return response.status
    return 0


async def is_ready(http: aiohttp.ClientSession) -> bool:
    return await status(http, "/readyz") == 200


@pytest.mark.parametrize("script", [ALONE, FORKED])
async def test_the_process_indexes_and_finds_and_stops_when_asked(
    servers: Servers,
    migrated: Callable[[str], None],
    broker: Broker,
    model_dir: Path,
    tmp_path: Path,
    script: str,
) -> None:
    await asyncio.to_thread(migrated, "embedding")
    log = tmp_path / "log"
    org_id = new_id()
    event = completed(org_id, "Refunds are paid within fourteen days.")
    identity = {HEADER: sign(Caller(org_id=org_id, key_id=new_id()), "embedding", KEY)}
    with running(script, environment(servers, model_dir, tmp_path), log) as (process, url):
        async with aiohttp.ClientSession(url) as http:
            await eventually(partial(is_ready, http), within=30, what=f"readiness; see {log}")
            assert await status(http, "/healthz") == 200
            await broker.publish(event)

            async def found() -> bool:
                body = {"query": "money back", "source_types": ["generation"]}
                async with http.post("/v1/search", json=body, headers=identity) as response:
                    assert response.status == 200, await response.text()
                    items = (await response.json())["items"]
                return [item["source_id"] for item in items] == [event.generation_id]

            await eventually(found, what="the generation's appearance")
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 15) == 0, log.read_text()
        assert time.monotonic() - started < 10
    assert '"level": "error"' not in log.read_text()


def test_nothing_heavy_is_imported_before_the_fork() -> None:
    """Threads and memory of the numeric libraries do not survive a fork, and other services do not want them."""
    script = f"import sys, services.embedding.main; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    outcome = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert outcome.stdout.split() == []
