"""Three NATS servers that form one JetStream cluster, each of which can be killed and started again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from deploy.embedded.binaries import find_binary
from libs.messaging import NatsAddress
from tests.support.polling import eventually
from tests.support.stack import free_port

SIZE = 3
USER, PASSWORD = "test", "for this cluster only"

_SETTINGS = """\
server_name: {name}
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor}"
jetstream {{
  store_dir: "{store}"
  sync_interval: always
}}
cluster {{
  name: antiphon
  listen: "127.0.0.1:{route}"
  routes: [{routes}]
}}
accounts {{
  ANTIPHON {{
    jetstream: enabled
    users: [{{user: {user}, password: "{password}"}}]
  }}
}}
"""


@dataclass
class Broker:
    """One server of the cluster; it keeps its ports and its storage through all its lives."""

    name: str
    folder: Path
    port: int = field(default_factory=free_port)
    monitor: int = field(default_factory=free_port)
    route: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def configure(self, routes: list[str]) -> None:
        self.folder.mkdir()
        settings = _SETTINGS.format(
            name=self.name,
            port=self.port,
            monitor=self.monitor,
            route=self.route,
            store=self.folder / "store",
            routes=", ".join(f'"{route}"' for route in routes),
            user=USER,
            password=PASSWORD,
        )
        (self.folder / "nats.conf").write_text(settings)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = [str(find_binary("nats-server")), "-c", str(self.folder / "nats.conf")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    async def is_healthy(self) -> bool:
        """Whether it serves clients and its copies are up to date."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(f"http://127.0.0.1:{self.monitor}/healthz") as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


@dataclass(frozen=True)
class Cluster:
    """All its servers."""

    brokers: list[Broker]

    @property
    def address(self) -> NatsAddress:
        """Every server, as a service is told of them."""
        return NatsAddress(",".join(f"nats://127.0.0.1:{broker.port}" for broker in self.brokers), USER, PASSWORD)

    def named(self, name: str) -> Broker:
        return next(broker for broker in self.brokers if broker.name == name)

    async def healthy(self, *, within: float = 30) -> None:
        """Wait until all servers are."""

        async def all_healthy() -> bool:
            return all([await broker.is_healthy() for broker in self.brokers])

        await eventually(all_healthy, within=within, what="three healthy servers")


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster that keeps its storage in `folder`."""
    brokers = [Broker(f"n{number}", folder / f"n{number}") for number in range(1, SIZE + 1)]
    routes = [f"nats://127.0.0.1:{broker.route}" for broker in brokers]
    try:
        for broker in brokers:
            broker.configure(routes)
            broker.start()
        yield Cluster(brokers)
    finally:
        for broker in brokers:
            if broker.process is not None:
                broker.kill()
