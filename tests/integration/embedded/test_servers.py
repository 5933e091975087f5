from __future__ import annotations

import asyncio
import io
import os
import stat

import asyncpg
import nats
import psutil
import pytest
from minio import Minio

from deploy.embedded.credentials import POSTGRES_ADMIN, read_secret
from deploy.embedded.environment import BUCKET, shell_exports
from deploy.embedded.home import Home
from deploy.embedded.ports import read_ports
from tests.integration.embedded.conftest import StandinStack, kill
from tests.support.polling import eventually


async def test_what_was_acknowledged_survives_a_kill_of_each_server_and_a_restart_of_all(stack: StandinStack) -> None:
    record = await stack.start("service")
    home = stack.home
    await _write_everywhere(home)
    for name in ("postgres", "nats", "s3"):
        before = record.processes[name]
        kill(before)
        after = await stack.recovered(name, before.pid)
        assert (after.port, after.restarts) == (before.port, 1)
    await _read_everywhere(home)

    ports = read_ports(home.ports_file)
    assert await stack.stop() == 0
    assert not home.record_file.exists()
    await stack.start("service")
    assert read_ports(home.ports_file) == ports
    await _read_everywhere(home)


async def test_servers_are_private_and_postgresql_is_what_the_services_need(stack: StandinStack) -> None:
    record = await stack.start("service")
    port = record.processes["postgres"].port
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _postgres(port, "wrong")
    assert b"Authorization Violation" in await _greet_nats_without_password(record.processes["nats"].port)
    for name in ("postgres_admin", "nats_gateway", "s3_secret_key"):
        assert stat.S_IMODE((stack.home.secrets / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((stack.home.nats / "nats.conf").stat().st_mode) == 0o600

    connection = await _postgres(port, read_secret(stack.home.secrets, POSTGRES_ADMIN))
    try:
        await connection.execute("CREATE EXTENSION vector")
        assert (await connection.fetchval("SHOW server_version")).startswith("18.")
        assert await connection.fetchval("SHOW max_connections") == "200"
        assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
        assert await connection.fetchval("SHOW fsync") == "on"
    finally:
        await connection.close()
    if os.geteuid() == 0:
        assert psutil.Process(record.processes["postgres"].pid).uids().real != 0


async def _greet_nats_without_password(port: int | None) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b'CONNECT {"verbose": false}\r\nPING\r\n')
    answer = await reader.read()
    writer.close()
    return answer


async def _write_everywhere(home: Home) -> None:
    exports = shell_exports(home, read_ports(home.ports_file))
    connection = await asyncpg.connect(exports["ANTIPHON_POSTGRES_ADMIN_URL"])
    await connection.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('antiphon')")
    await connection.close()
    broker = await nats.connect(exports["ANTIPHON_NATS_URL"])
    await broker.jetstream().add_stream(name="KEPT", subjects=["kept"])
    await broker.jetstream().publish("kept", b"antiphon")
    await broker.close()
    await asyncio.to_thread(_put_object, exports)


async def _read_everywhere(home: Home) -> None:
    exports = shell_exports(home, read_ports(home.ports_file))
    connection = await asyncpg.connect(exports["ANTIPHON_POSTGRES_ADMIN_URL"])
    assert await connection.fetchval("SELECT word FROM kept") == "antiphon"
    await connection.close()
    broker = await nats.connect(exports["ANTIPHON_NATS_URL"])
    assert (await broker.jetstream().get_msg("KEPT", 1)).data == b"antiphon"
    await broker.close()

    async def content() -> bytes:
        return await asyncio.to_thread(_get_object, exports)

    assert await eventually(content) == b"antiphon"


def _put_object(exports: dict[str, str]) -> None:
    store = _object_store(exports)
    store.make_bucket(BUCKET)
    store.put_object(BUCKET, "kept", io.BytesIO(b"antiphon"), 8)


def _get_object(exports: dict[str, str]) -> bytes:
    answer = _object_store(exports).get_object(BUCKET, "kept")
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def _object_store(exports: dict[str, str]) -> Minio:
    return Minio(
        exports["ANTIPHON_S3_ENDPOINT"].removeprefix("http://"),
        access_key=exports["ANTIPHON_S3_ACCESS_KEY"],
        secret_key=exports["ANTIPHON_S3_SECRET_KEY"],
        secure=False,
        region="us-east-1",
    )


async def _postgres(port: int | None, password: str) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(
        host="127.0.0.1", port=port or 0, user="antiphon", password=password, database="postgres"
    )
