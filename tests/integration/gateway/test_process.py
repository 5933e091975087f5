"""The gateway as it is run: a process with settings, telemetry and an orderly end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from libs.apikeys import new_api_key
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID
from services.gateway.domain.routes import SERVICES
from tests.integration.gateway.serving import HOST, Service, free_port, serving
from tests.support.otlp import ReceivedSpan, SpanReceiver
from tests.support.polling import eventually
from tests.support.servers import Servers

CLIENT_SPAN = "00f067aa0ba902b7"
CANARY = "canary-4711"


@dataclass
class Process:
    """A running gateway."""

    url: str
    key: str
    process: asyncio.subprocess.Process
    lines: list[dict[str, object]] = field(default_factory=list)

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        async with asyncio.timeout(10):
            output = await self.process.stdout.read()
            self.lines = [json.loads(line) for line in output.splitlines()]
            return await self.process.wait()


@pytest.fixture
async def receiver() -> AsyncIterator[SpanReceiver]:
    with SpanReceiver.running() as running:
        yield running


def _environment(servers: Servers, secrets: Path, key: str, voice_url: str, receiver: SpanReceiver) -> dict[str, str]:
    for name in SERVICES:
        (secrets / name).write_text("ab" * 32)
    (secrets / "api_key").write_text(f"{key}\n")
    (secrets / "webhook_keys").write_text("cd" * 32)
    nowhere = f"http://{HOST}:{free_port()}"
    return servers.environment("gateway") | {
        "ANTIPHON_HOST": HOST,
        "ANTIPHON_PORT": str(free_port()),
        **{f"ANTIPHON_{name.upper()}_URL": nowhere for name in SERVICES},
        "ANTIPHON_VOICE_URL": voice_url,
        "ANTIPHON_IDENTITY_KEYS_DIR": str(secrets),
        "ANTIPHON_WEBHOOK_KEYS_FILE": str(secrets / "webhook_keys"),
        "ANTIPHON_BOOTSTRAP_KEY_FILE": str(secrets / "api_key"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


@pytest.fixture
async def gateway_process(
    servers: Servers, schema: None, voice: Service, receiver: SpanReceiver, tmp_path: Path
) -> AsyncIterator[Process]:
    key = new_api_key()
    async with serving(voice) as voice_url:
        environment = _environment(servers, tmp_path, key, voice_url, receiver)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.gateway.main",
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        running = Process(f"http://{HOST}:{environment['ANTIPHON_PORT']}", key, child)
        try:
            await eventually(lambda: _is_ready(running), within=20, what="the gateway's readiness")
            yield running
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


async def _is_ready(running: Process) -> bool:
    assert running.process.returncode is None, "the gateway ended"
    try:
        async with aiohttp.ClientSession() as client, client.get(f"{running.url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def test_once_ready_it_knows_the_first_key(gateway_process: Process, voice: Service) -> None:
    headers = {"Authorization": f"Bearer {gateway_process.key}"}
    async with aiohttp.ClientSession(gateway_process.url, headers=headers) as client:
        async with client.get("/v1/voices") as response:
            assert response.status == 200
            await response.read()
        assert await (await client.get("/readyz")).json() == {"started": True, "database": True, "nats": True}
    assert len(voice.seen) == 1
    assert await gateway_process.stop() == 0


async def test_a_request_is_one_trace_and_one_line(
    gateway_process: Process, voice: Service, receiver: SpanReceiver
) -> None:
    trace_id = os.urandom(16).hex()
    headers = {
        "Authorization": f"Bearer {gateway_process.key}",
        "traceparent": f"00-{trace_id}-{CLIENT_SPAN}-01",
        "X-Request-Id": "mine",
    }
    async with aiohttp.ClientSession(gateway_process.url, headers=headers) as client:
        async with client.get(f"/v1/voices/{CANARY}?query={CANARY}") as response:
            assert response.status == 200
            await response.read()
        refused = await (await client.get("/v1/voices", headers={"Authorization": f"Bearer {CANARY}"})).json()
        assert refused["trace_id"] == trace_id
    assert await gateway_process.stop() == 0

    door, asking = _edges(receiver.trace(trace_id))
    assert (door.name, door.parent_id) == ("GET /v1/voices/{voice_id}", CLIENT_SPAN)
    assert (asking.name, asking.parent_id) == ("GET /v1/voices/{voice_id}", door.span_id)
    assert voice.last.header("traceparent") == f"00-{trace_id}-{asking.span_id}-01"
    assert door.attributes["http.response.status_code"] == 200
    assert door.attributes["http.route"] == "/v1/voices/{voice_id}"
    assert f"query={CANARY}" not in str(receiver.trace(trace_id))

    passed, refusal = [line for line in gateway_process.lines if line["event"] == "request"]
    assert {
        "method": "GET",
        "route": "/v1/voices/{voice_id}",
        "status": 200,
        "request_id": "mine",
    }.items() <= passed.items()
    assert (refusal["status"], refusal["outcome"]) == (401, "unauthenticated")
    assert passed["trace_id"] == refusal["trace_id"] == trace_id
    assert isinstance(passed["duration_ms"], float)


async def test_an_id_that_needs_no_key_is_in_no_trace(gateway_process: Process, receiver: SpanReceiver) -> None:
    trace_id, erasure_id = os.urandom(16).hex(), str(uuid4())
    async with (
        aiohttp.ClientSession(
            gateway_process.url, headers={"traceparent": f"00-{trace_id}-{CLIENT_SPAN}-01"}
        ) as client,
        client.get(f"/v1/erasures/{erasure_id}") as response,
    ):
        assert response.status == 404
    assert await gateway_process.stop() == 0
    (door, *_) = [span for span in receiver.trace(trace_id) if "erasure_id" in span.name]
    assert door.attributes["url.path"] == "/v1/erasures/{erasure_id}"
    assert erasure_id not in str(receiver.trace(trace_id)) + json.dumps(gateway_process.lines)


async def test_nothing_that_is_secret_is_logged(
    gateway_process: Process, voice: Service, receiver: SpanReceiver
) -> None:
    headers = {"Authorization": f"Bearer {gateway_process.key}"}
    async with aiohttp.ClientSession(gateway_process.url, headers=headers) as client:
        for path in ("/v1/voices", f"/v1/voices/{CANARY}", "/v1/search", f"/v1/{CANARY}"):
            for method in ("GET", "POST"):
                sent = client.request(method, f"{path}?q={CANARY}", data=CANARY, headers={"X-Canary": CANARY})
                async with sent as response:
                    await response.read()
    assert await gateway_process.stop() == 0
    said = json.dumps(gateway_process.lines)
    assert CANARY not in said
    assert gateway_process.key not in said
    assert str(FIRST_ORGANIZATION_ID) not in said


def _edges(spans: list[ReceivedSpan]) -> tuple[ReceivedSpan, ReceivedSpan]:
    door, asking = sorted((span for span in spans if "{voice_id}" in span.name), key=lambda span: span.started)
    return door, asking
