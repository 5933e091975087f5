"""The voice service as it is run: a process with settings, a relay and an orderly end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import text

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceReady
from libs.contracts.registry import event_type
from libs.database import Database
from libs.ids import SYSTEM_ORG, new_id
from libs.messaging import Bus, connect
from libs.messaging.provision import provision
from libs.messaging.topology import durables
from libs.objectstore import ObjectStore
from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.engine import VoiceProfile
from services.voice.consumers import CONSUMERS
from tests.integration.voice.conftest import KEY, Client, Plans
from tests.support.polling import eventually
from tests.support.recordings import spoken_wav
from tests.support.servers import Servers


@pytest.fixture
async def bus(servers: Servers) -> AsyncIterator[Bus]:
    opened = await connect(servers.nats("provisioner"), "test")
    await provision(opened.jetstream, [CONSUMERS])
    yield opened
    # Other tests find the broker as they would without these.
    for stream, durable in durables([CONSUMERS]):
        assert durable.durable_name is not None
        await opened.jetstream.delete_consumer(stream, durable.durable_name)
    await opened.close()


@pytest.fixture
def environment(servers: Servers, tmp_path: Path, unused_tcp_port: int) -> dict[str, str]:
    (tmp_path / "identity").write_text(KEY.hex())
    return servers.environment("voice") | {
        "ANTIPHON_PORT": str(unused_tcp_port),
        "ANTIPHON_IDENTITY_KEY_FILE": str(tmp_path / "identity"),
    }


@asynccontextmanager
async def running(environment: dict[str, str]) -> AsyncIterator[aiohttp.ClientSession]:
    """Run the service until it has stopped in order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.voice.main", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{environment['ANTIPHON_PORT']}") as session:

            async def ready() -> bool:
                assert process.returncode is None, "the process ended by itself"
                try:
                    async with session.get("/readyz") as response:
                        return response.status == 200
                except aiohttp.ClientConnectionError:
                    return False

            await eventually(ready, within=30, what="readiness")
            yield session
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            output, _ = await process.communicate()
        assert process.returncode == 0
        assert {json.loads(line)["service"] for line in output.splitlines()} == {"voice"}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_the_first_start_tells_the_broker_of_every_system_voice_and_the_next_of_none(
    environment: dict[str, str], database: Database, objects: ObjectStore, bus: Bus, plans: Plans
) -> None:
    assert not plans.held
    async with database.transaction(SYSTEM_ORG) as session:
        await session.execute(text("delete from voices where variant = 'SYSTEM'"))
        # What earlier tests left to send, which may be about the same voices.
        await session.execute(text("delete from outbox"))
    kind = event_type(VoiceReady)
    heard = await bus.client.subscribe(kind.subject)
    async with running(environment) as http:
        listed = await Client(http, new_id()).get("/v1/voices", variant="SYSTEM")
        ids = {item["id"] for item in listed.body["items"]}
        assert ids == {str(entry.id) for entry in SYSTEM_VOICES}
        told: set[str] = set()
        async with asyncio.timeout(10):
            while not told >= ids:
                told.add(VoiceReady.FromString((await heard.next_msg(timeout=10)).data).voice_id)
        stored = await bus.jetstream.get_last_msg(kind.stream, kind.subject)
        assert VoiceReady.FromString(stored.data or b"").voice_id in ids
    async with running(environment) as http:
        client = Client(http, new_id())
        custom = await client.created("After the second start", files=[spoken_wav()])
        # Events keep their order: had the start told of system voices again, they would come before this one.
        async with asyncio.timeout(60):
            following = VoiceReady.FromString((await heard.next_msg(timeout=60)).data)
        assert following.voice_id == custom["id"]
        now = await client.voice(custom["id"])
        assert (now["status"], now["reasons"], now["matching"]["method"]) == ("ready", [], "timbre-matched")
        after, before = now["matching"]["after"], now["matching"]["before"]
        assert after["spectral_distance_db"] < before["spectral_distance_db"]
        preview = await client.get(f"/v1/voices/{custom['id']}/preview")
        key = preview.headers["x-antiphon-handover"].removeprefix("storage /internal/objects/")
        assert len(await objects.get(key)) > 20_000
        engine_settings = json.loads(following.voice.engine_settings)
        assert VoiceProfile.from_settings(engine_settings).language == "en-US"
    await heard.unsubscribe()
