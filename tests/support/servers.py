"""The three real servers in a state directory of their own, for tests.

As a program (`python -m tests.support.servers HOME`) it runs them until its standard input closes; it
says on standard output, in one line of JSON, where they are.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from deploy.embedded import seaweed
from deploy.embedded.credentials import POSTGRES_ADMIN, ensure_secrets
from deploy.embedded.home import Home
from deploy.embedded.nats import Nats
from deploy.embedded.ports import Ports
from deploy.embedded.postgres import Postgres
from deploy.embedded.processes import Child, Children
from deploy.embedded.seaweed import SeaweedFS
from deploy.embedded.server import Server
from libs.database import Database, TransactionHook, migrate
from libs.database.provision import ServiceDatabase, provision_database
from libs.messaging import NatsAddress
from libs.objectstore import ObjectStore, ObjectStoreAddress
from libs.service import read_secret

START_SECONDS = 60


@dataclass(frozen=True)
class Servers:
    """Where the servers are; secrets lie in `home/secrets`."""

    home: Path
    postgres_url: str
    nats_url: str
    s3_url: str
    pids: dict[str, int]

    def secret(self, name: str) -> str:
        return read_secret(self.home / "secrets" / name)

    @property
    def admin_url(self) -> str:
        return str(make_url(self.postgres_url).set(username="antiphon", database="postgres"))

    def url(self, role: str, service: str) -> str:
        """A database URL without its password; `role` is owner or app."""
        url = make_url(self.postgres_url).set(username=f"{service}_{role}", database=f"antiphon_{service}")
        return str(url)

    def nats(self, user: str) -> NatsAddress:
        return NatsAddress(self.nats_url, user, self.secret(f"nats_{user}"))

    @property
    def object_store_address(self) -> ObjectStoreAddress:
        """The object store's: our own, or any other that the environment names (docs/storage.md)."""
        if (endpoint := os.environ.get("ANTIPHON_TEST_S3_ENDPOINT")) is not None:
            region, bucket, access_key, secret_key = (
                os.environ[f"ANTIPHON_TEST_S3_{name}"] for name in ("REGION", "BUCKET", "ACCESS_KEY", "SECRET_KEY")
            )
            return ObjectStoreAddress(endpoint, region, bucket, access_key, secret_key)
        return ObjectStoreAddress(
            self.s3_url, "us-east-1", "antiphon", self.secret("s3_access_key"), self.secret("s3_secret_key")
        )

    def object_store(self) -> ObjectStore:
        return ObjectStore(self.object_store_address)

    def service_database(self, service: str) -> ServiceDatabase:
        return ServiceDatabase(
            service, self.secret(f"database_{service}_owner"), self.secret(f"database_{service}_app")
        )

    def environment(self, service: str) -> dict[str, str]:
        """What a process of `service` is told of the servers, with what this process has that says nothing of them."""
        secrets = self.home / "secrets"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANTIPHON_", "OTEL_"))}
        return inherited | {
            "ANTIPHON_DATABASE_URL": self.url("app", service),
            "ANTIPHON_DATABASE_PASSWORD_FILE": str(secrets / f"database_{service}_app"),
            "ANTIPHON_NATS_URL": self.nats_url,
            "ANTIPHON_NATS_USER": service,
            "ANTIPHON_NATS_PASSWORD_FILE": str(secrets / f"nats_{service}"),
            "ANTIPHON_S3_ENDPOINT": self.s3_url,
            "ANTIPHON_S3_ACCESS_KEY_FILE": str(secrets / "s3_access_key"),
            "ANTIPHON_S3_SECRET_KEY_FILE": str(secrets / "s3_secret_key"),
        }

    def migrate(self, service: str) -> None:
        """Provision the database of `service` and bring it to its newest revision."""
        wanted = self.service_database(service)
        asyncio.run(provision_database(self.admin_url, self.secret(POSTGRES_ADMIN), wanted))
        migrate.upgrade(service, self.url("owner", service), wanted.owner_password)

    def database(self, service: str, hooks: list[TransactionHook] | None = None) -> Database:
        """The database of `service`, as its application role."""
        return Database(
            self.url("app", service), self.secret(f"database_{service}_app"), application="test", hooks=hooks or []
        )


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Run the servers in a temporary directory."""
    home = Path(tempfile.mkdtemp(prefix="antiphon-test-"))
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.support.servers", str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        line = program.stdout.readline()
        if not line:
            raise RuntimeError(f"the servers did not start; see {home}/logs")
        yield Servers(home=home, **json.loads(line))
        shutil.rmtree(home, ignore_errors=True)
    finally:
        program.stdin.close()
        program.wait(timeout=30)
        program.stdout.close()


async def _run(path: Path) -> None:
    home = Home(path)
    home.prepare()
    ensure_secrets(home.secrets)
    ports = Ports(home.ports_file)
    ports.choose(
        ["postgres", "nats", "nats_monitor", *seaweed.PORTS, seaweed.ADMIN_PORT],
        fixed={},
        pairs={seaweed.ADMIN_PORT: (seaweed.ADMIN_GRPC_PORT, seaweed.ADMIN_GRPC_DISTANCE)},
    )
    children = Children()
    servers: list[Server] = [Postgres(home, ports), Nats(home, ports), SeaweedFS(home, ports)]
    async with asyncio.timeout(START_SECONDS):
        started = await asyncio.gather(*(_start(server, home, children) for server in servers))
    where = {f"{server.name}_url": server.url for server in servers}
    where_and_pids = where | {"pids": {server.name: child.pid for server, child in zip(servers, started, strict=True)}}
    print(json.dumps(where_and_pids), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.gather(*(child.stop(_end_of(server), 10) for server, child in zip(servers, started, strict=True)))


def _end_of(server: Server) -> signal.Signals:
    """What ends a server at once, as nobody reads its data again; PostgreSQL has children to end as well."""
    return signal.SIGQUIT if isinstance(server, Postgres) else signal.SIGKILL


async def _start(server: Server, home: Home, children: Children) -> Child:
    await server.prepare(children)
    with home.open_log(server.name) as log:
        child = children.spawn(server.command(), log)
    await server.until_ready(child, children)
    return child


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
