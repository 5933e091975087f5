"""PostgreSQL 18 from its wheel, run by its binaries alone: never as root, by password only, on TCP of this machine."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.embedded import leftovers, postgres_install
from deploy.embedded.credentials import POSTGRES_ADMIN, read_secret
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home, write_atomically
from deploy.embedded.probes import find_obstacle, until_clear
from deploy.embedded.processes import HOME_MARK, Account, Child, Children, Command

SUPERUSER = "antiphon"

READY_SECONDS = 120.0
"""Recovery after a crash replays at most 512 MB of log, which takes a slow disk a minute."""
RESTORE_SECONDS = 6 * 3600.0
"""A restored backup replays all the log since it was made."""

_SETTINGS = """\
# Written at every start of the embedded stack. Settings of your own go into local.conf beside this file.
cluster_name = 'antiphon'
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
password_encryption = scram-sha-256
shared_buffers = 96MB
effective_cache_size = 512MB
work_mem = 4MB
maintenance_work_mem = 64MB
autovacuum_max_workers = 2
max_wal_size = 512MB
wal_level = replica
archive_mode = off
# What changed is known without reading the data, which is what incremental backups are made from.
summarize_wal = on
# A backup that is no longer fetched must not fill the disk with the log that is kept for it.
max_slot_wal_keep_size = 2GB
io_method = sync
max_logical_replication_workers = 0
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off
lc_messages = 'C'
default_text_search_config = 'pg_catalog.english'
include_if_exists = 'local.conf'
"""


class Postgres:
    """The database server of one stack."""

    name = "postgres"
    needs_port = "postgres"
    stop_signal = signal.SIGINT  # a "fast" shutdown: open transactions are rolled back, a checkpoint is written
    stop_seconds = 15.0

    def __init__(self, home: Home, ports: Mapping[str, int]) -> None:
        self._home = home
        self._port = ports["postgres"]
        self._data = home.postgres / "data"
        self._account: Account | None = None
        self._install: Path | None = None

    @property
    def url(self) -> str:
        return f"postgresql://127.0.0.1:{self._port}"

    @property
    def health(self) -> str:
        return self.url

    async def prepare(self, children: Children, /) -> None:
        self._account = choose_account(self._data)
        # Looked for again at every start: the copy may lie in a cache that somebody cleans.
        self._install = await asyncio.to_thread(postgres_install.find, self._account)
        if not (self._data / "PG_VERSION").exists():
            await self._initialise(children)
        await asyncio.to_thread(self._clear_stale_pid_file)
        write_atomically(self._data / "antiphon.conf", _SETTINGS.format(port=self._port), mode=0o644)

    def command(self) -> Command:
        directory = self._directory(self._data)
        return self._run("postgres", "-D", directory, f"--config_file={directory}/antiphon.conf", cwd=self._data)

    async def until_ready(self, child: Child, _children: Children, /) -> None:
        async def recovery() -> str | None:
            try:
                lines = (self._data / "postmaster.pid").read_text().splitlines()
            except FileNotFoundError:
                return "it has not begun to recover"
            is_ready = len(lines) > 7 and lines[0] == str(child.pid) and lines[7].strip() == "ready"
            return None if is_ready else "it is still recovering"

        restores = (self._data / "recovery.signal").exists()
        await until_clear(recovery, RESTORE_SECONDS if restores else READY_SECONDS)
        await until_clear(lambda: find_obstacle(self.health), READY_SECONDS)

    async def _initialise(self, children: Children) -> None:
        """Create the cluster beside its place and move it there, so that a start cut short leaves no half of one."""
        fresh = self._home.postgres / "data.new"
        await asyncio.to_thread(_make_empty, fresh, self._account)
        readable, writable = os.pipe()
        try:
            os.write(writable, read_secret(self._home.secrets, POSTGRES_ADMIN).encode() + b"\n")
            os.close(writable)
            if self._account:
                os.fchown(readable, self._account.uid, self._account.gid)
            command = self._run(
                *("initdb", "-D", self._directory(fresh), "-U", SUPERUSER, f"--pwfile=/dev/fd/{readable}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
                # Small segments keep an archive of a quiet system small.
                *("--wal-segsize=1", "--no-instructions"),
                cwd=fresh,
                pass_fds=(readable,),
            )
            with self._home.open_log(self.name) as log:
                code = await children.spawn(command, log).wait()
        finally:
            os.close(readable)
        if code != 0:
            raise StackError(f"initdb failed with exit code {code}:\n{self._home.log_tail(self.name)}")
        fresh.rename(self._data)

    def _clear_stale_pid_file(self) -> None:
        """After a crash PostgreSQL refuses to start when the pid in its file is some other process of its account.

        A kill of the postmaster alone leaves its children for a moment. Only when no process works in the data
        directory any more is the file removed.
        """
        if (self._data / "postmaster.pid").exists():
            leftovers.end_leftovers(leftovers.find_postgres(self._home.postgres))
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _directory(self, folder: Path) -> str:
        """How PostgreSQL is told its data directory.

        As root on Linux by way of its working directory, which it is given already open: so the account that it runs
        as needs no way through the directories above, which may be closed to it (/root is).
        """
        return "/proc/self/cwd" if self._account and sys.platform == "linux" else str(folder)

    def _run(self, program: str, *arguments: str, cwd: Path, pass_fds: tuple[int, ...] = ()) -> Command:
        if self._install is None:
            raise RuntimeError("prepare comes first")
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "TZ": "UTC",
            "HOME": "/",
            HOME_MARK: str(self._home.path),
        }
        argv = [str(self._install / "bin" / program), *arguments]
        return Command(argv, environment, cwd, self._account, pass_fds, orphan_signal=self.stop_signal)


def choose_account(data: Path) -> Account | None:
    """None for an ordinary user. As root: who owns the data already, else `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StackError(
        "PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody` to run it as.\n"
        "Add one (useradd --system postgres), or run antiphon as an ordinary user."
    )


def _make_empty(folder: Path, account: Account | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if account:
        os.chown(folder, account.uid, account.gid)
