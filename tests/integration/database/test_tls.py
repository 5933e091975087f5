"""Every connection to PostgreSQL is encrypted and its certificate checked, where PGSSLMODE says so."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from libs.database import Database
from tests.support.certificates import write_certificate
from tests.support.servers import Servers
from tests.support.tls import pump

_ASKS_FOR_TLS = bytes.fromhex("0000000804d2162f")


@asynccontextmanager
async def encrypting(url: URL, certificate: Path, key: Path) -> AsyncIterator[URL]:
    """Yield where the server of `url` takes connections with TLS alone: the embedded one is built without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(len(_ASKS_FOR_TLS)) != _ASKS_FOR_TLS:
            writer.close()
            return
        writer.write(b"S")
        try:
            await writer.start_tls(context)
        except (ConnectionError, ssl.SSLError):
            return  # a client that does not trust us goes away
        far_reader, far_writer = await asyncio.open_connection(url.host, url.port)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield url.set(port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        ours = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.wait(ours, timeout=5) if ours else None


async def by_the_pool(url: URL, password: str) -> None:
    """As services open their transactions."""
    database = Database(url.render_as_string(), password, application="test")
    try:
        await database.ping()
    finally:
        await database.close()


async def by_the_driver(url: URL, password: str) -> None:
    """As the relay, the one who leads, and the commands of the operator connect."""
    connection = await asyncpg.connect(url.render_as_string(), password=password)
    await connection.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Sequence[tuple[Path, Path]]:
    """Two, each with its key, and neither vouches for the other."""
    return [write_certificate(tmp_path_factory.mktemp(name)) for name in ("ours", "theirs")]


@pytest.mark.parametrize("connect", [by_the_pool, by_the_driver])
async def test_connections_are_encrypted_and_the_certificate_is_checked(
    connect: Callable[[URL, str], Awaitable[None]],
    servers: Servers,
    certificates: Sequence[tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = make_url(servers.postgres_url).set(username="antiphon", database="postgres")
    password = servers.secret("postgres_admin")
    (certificate, key), (stranger, _) = certificates
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(certificate))
    async with encrypting(plain, certificate, key) as url:
        await connect(url, password)
        monkeypatch.setenv("PGSSLROOTCERT", str(stranger))
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(url, password)
    with pytest.raises(ConnectionError, match="rejected SSL"):
        await connect(plain, password)
