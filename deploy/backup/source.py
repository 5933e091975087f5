"""The running stack that is backed up: its database server, its objects, its broker, and PostgreSQL's own tools."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import nats.errors

from deploy.embedded import postgres_install
from deploy.embedded.credentials import POSTGRES_ADMIN, read_secret
from deploy.embedded.environment import BUCKET, REGION
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home
from deploy.embedded.ports import read_ports
from deploy.embedded.postgres import SUPERUSER
from deploy.embedded.processes import dying_with_parent
from libs.messaging import Bus, NatsAddress, connect
from libs.objectstore import ObjectStore, ObjectStoreAddress

STOP_SECONDS = 5.0


class Source:
    """A stack whose servers run. Ports are looked up at each use: they may change from one start to the next."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._bin = postgres_install.find(None) / "bin"

    def port(self, name: str) -> int:
        """The port of a server. Raises StackError when the stack has never run."""
        try:
            return read_ports(self.home.ports_file)[name]
        except KeyError:
            raise StackError(f"No stack is running in {self.home.path}. Start it: antiphon up --detach") from None

    @asynccontextmanager
    async def database(self, name: str = "postgres") -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """Connect as the administrator. Raises StackError when the server does not answer."""
        try:
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=self.port("postgres"),
                user=SUPERUSER,
                password=read_secret(self.home.secrets, POSTGRES_ADMIN),
                database=name,
                timeout=10,
            )
        except (OSError, asyncpg.PostgresError) as error:
            raise StackError(
                f"The database server of {self.home.path} does not answer ({type(error).__name__}). "
                "Is the stack up? See: antiphon status"
            ) from None
        try:
            yield connection
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError) as error:
            raise StackError(f"The database server ended the connection: {error}. See: antiphon status") from None
        finally:
            await connection.close()

    @property
    def address(self) -> ObjectStoreAddress:
        """Where the objects are."""
        access_key, secret_key = (read_secret(self.home.secrets, f"s3_{part}_key") for part in ("access", "secret"))
        return ObjectStoreAddress(f"http://127.0.0.1:{self.port('s3')}", REGION, BUCKET, access_key, secret_key)

    @asynccontextmanager
    async def objects(self) -> AsyncIterator[ObjectStore]:
        """Connect to the object store."""
        store = ObjectStore(self.address)
        try:
            yield store
        finally:
            await store.close()

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[Bus]:
        """Connect to the broker as the operator. Raises StackError when it does not answer."""
        password = read_secret(self.home.secrets, "nats_provisioner")
        try:
            async with asyncio.timeout(10):
                address = NatsAddress(f"nats://127.0.0.1:{self.port('nats')}", "provisioner", password)
                bus = await connect(address, "backup")
        except (OSError, TimeoutError) as error:
            raise StackError(f"The broker cannot be reached: {str(error) or 'no answer'}") from None
        try:
            yield bus
        except nats.errors.Error as error:
            raise StackError(f"The broker ended the connection: {error}. See: antiphon status") from None
        finally:
            await bus.close()

    @property
    def server(self) -> Sequence[str]:
        """How PostgreSQL's tools are told where the server is."""
        return ("--host=127.0.0.1", f"--port={self.port('postgres')}", f"--username={SUPERUSER}", "--no-password")

    @asynccontextmanager
    async def started(self, program: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run one of PostgreSQL's tools for the time of a block; both outputs come by its `stdout`."""
        process = await asyncio.create_subprocess_exec(
            str(self._bin / program),
            *arguments,
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=dying_with_parent(),
        )
        try:
            yield process
        finally:
            await end(process)

    async def run(self, program: str, *arguments: str, show: Callable[[str], None] = lambda _: None) -> None:
        """Run a tool to its end; `show` gets its progress. Raises ToolFailed with what it said last."""
        async with self.started(program, *arguments) as process:
            assert process.stdout is not None
            said = b""
            while piece := await process.stdout.read(65536):
                said = (said + piece)[-8192:]
                lines = piece.decode(errors="replace").replace("\r", "\n").strip().splitlines()
                if lines and lines[-1].strip():
                    show(lines[-1].strip())
            if await process.wait() != 0:
                raise ToolFailed(program, said.decode(errors="replace").replace("\r", "\n").strip())

    def _environment(self) -> dict[str, str]:
        secret = self.home.secrets / POSTGRES_ADMIN
        # Combining backups, or reading the log, needs no server and no password.
        password = {"PGPASSWORD": secret.read_text().strip()} if secret.exists() else {}
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", "HOME": "/"} | password


class ToolFailed(StackError):
    """One of PostgreSQL's tools ended with an error; `said` is the end of what it wrote."""

    def __init__(self, program: str, said: str) -> None:
        super().__init__(f"{program} failed:\n{said[-2000:]}")
        self.said = said


async def end(process: asyncio.subprocess.Process) -> None:
    """End a program: politely first, then by force."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def tree_bytes(folder: Path) -> int:
    """How many bytes the files below a directory have that are not linked from another one, too."""
    statuses = (file.lstat() for file in folder.rglob("*") if file.is_file())
    return sum(status.st_size for status in statuses if status.st_nlink == 1)
