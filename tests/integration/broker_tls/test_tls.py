"""Every connection to the broker is encrypted and its certificate checked, where the settings say so."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nats.errors
import pytest

from deploy.embedded.binaries import find_binary
from libs.messaging import NatsAddress, connect
from libs.messaging.connection import NatsTls
from libs.messaging.provision import provision
from tests.support.certificates import write_certificate
from tests.support.polling import eventually
from tests.support.stack import free_port

USER, PASSWORD = "test", "for this broker only"
_SETTINGS = """\
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{store}" }}
tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{certificate}", verify: {mutual} }}
accounts {{ ANTIPHON {{ jetstream: enabled, users: [{{user: {user}, password: "{password}"}}] }} }}
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["plain", "mutual"])
def broker(request: pytest.FixtureRequest, tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[int]:
    port = free_port()
    settings = _SETTINGS.format(
        port=port,
        store=tmp_path / "store",
        certificate=certificate[0],
        key=certificate[1],
        mutual=str(request.param == "mutual").lower(),
        user=USER,
        password=PASSWORD,
    )
    (tmp_path / "nats.conf").write_text(settings)
    with (tmp_path / "nats.log").open("wb") as log:
        process = subprocess.Popen([str(find_binary("nats-server")), "-c", str(tmp_path / "nats.conf")], stderr=log)
    yield port
    process.terminate()
    process.wait(10)


async def listening(port: int) -> None:
    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await eventually(answers, what="a broker that listens")


async def test_streams_are_made_and_written_over_tls(broker: int, certificate: tuple[Path, Path]) -> None:
    await listening(broker)
    tls = NatsTls(certificate[0], certificate[0], certificate[1])
    bus = await asyncio.wait_for(connect(NatsAddress(f"tls://127.0.0.1:{broker}", USER, PASSWORD, tls), "test"), 20)
    try:
        await provision(bus.jetstream, [])
        answer = await bus.jetstream.publish("evt.voice.voice_deleted.v1", b"")
        assert answer.seq == 1
    finally:
        await bus.close()


async def test_a_broker_that_nobody_vouches_for_is_not_talked_to(broker: int) -> None:
    await listening(broker)
    with pytest.raises((TimeoutError, OSError, nats.errors.Error)):
        await asyncio.wait_for(connect(NatsAddress(f"tls://127.0.0.1:{broker}", USER, PASSWORD), "test"), 3)
