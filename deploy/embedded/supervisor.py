"""The process that runs a whole stack: starts it in order, keeps it alive, records it, and stops it in order."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from deploy.embedded import leftovers, seaweed
from deploy.embedded.credentials import ensure_secrets
from deploy.embedded.environment import program_environment
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home
from deploy.embedded.keeper import Keeper, Unit, describe_exit, indent
from deploy.embedded.launching import Launcher, choose_launcher
from deploy.embedded.nats import Nats
from deploy.embedded.ports import Ports
from deploy.embedded.postgres import Postgres
from deploy.embedded.probes import find_obstacle, until_clear
from deploy.embedded.processes import Child, Children, identify
from deploy.embedded.programs import PROGRAMS, Program
from deploy.embedded.record import ProcessRecord, StackRecord, StackState, read_record, write_record
from deploy.embedded.seaweed import SeaweedFS
from deploy.embedded.server import Server

SERVER_STOP_RANK = 10
_SERVICE_SECONDS = 180.0
"""Until a service that is not ready is started again: the first start of one that works in the background, on a machine
that is busy with other things, took 90."""
_STOP_SECONDS = 12.0
_SWEEP_SECONDS = 5.0
_OPEN_FILES = 65_536


class Supervisor:
    """One stack in one state directory, whose lock the caller holds.

    `announce` is told each step in one line. `programs` run beside the servers; one of them may be named `gateway`,
    and that one listens on `gateway_port`. `route` says by which ports programs reach the servers, where something
    stands between.
    """

    def __init__(
        self,
        home: Home,
        *,
        gateway_port: int,
        announce: Callable[[str], None],
        programs: Sequence[Program] = PROGRAMS,
        caller: Mapping[str, str] = os.environ,
        route: Callable[[Mapping[str, int]], Mapping[str, int]] = lambda ports: ports,
    ) -> None:
        self._home = home
        self._gateway_port = gateway_port
        self._say = announce
        self._programs = programs
        self._caller = caller
        self._route = route
        self._began = time.monotonic()
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._children = Children()
        self._ports = Ports(home.ports_file)
        self._s3 = SeaweedFS(home, self._ports)
        self._launcher: Launcher = choose_launcher(home, self._children, [program.module for program in programs])
        self._keepers: dict[str, Keeper] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._state: StackState | None = None
        self._fault: BaseException | None = None
        self._stop_requested = asyncio.Event()

    async def run(self, when_ready: Callable[[], Awaitable[None]]) -> None:
        """Start everything, call `when_ready`, and go on until SIGTERM, SIGINT or SIGHUP; then stop everything.

        Raises StackError when the start fails; everything is stopped then, too.
        """
        _raise_file_limit()
        self._listen_to_signals()
        work = asyncio.create_task(self._start(when_ready))
        stop = asyncio.create_task(self._stop_requested.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                await stop
        finally:
            work.cancel()
            stop.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await self._stop()
        if self._fault:
            raise self._fault

    async def _start(self, when_ready: Callable[[], Awaitable[None]]) -> None:
        self._prepare()
        await self._launcher.open()
        servers: list[Server] = [Postgres(self._home, self._ports), Nats(self._home, self._ports), self._s3]
        await self._keep_all([self._server_unit(server) for server in servers])
        for program in self._programs:
            if program.kind == "once":
                await self._run_once(program)
        await self._keep_all([self._service_unit(program) for program in self._programs if program.kind != "once"])
        self._turn("ready")
        await when_ready()

    def _prepare(self) -> None:
        self._home.prepare()
        self._end_leftovers()
        ensure_secrets(self._home.secrets)
        served = [program.name for program in self._programs if program.kind != "once"]
        fixed = {"gateway": self._gateway_port} if "gateway" in served else {}
        names = ["postgres", "nats", "nats_monitor", *seaweed.PORTS, seaweed.ADMIN_PORT]
        names += [name for name in served if name not in fixed]
        pairs = {seaweed.ADMIN_PORT: (seaweed.ADMIN_GRPC_PORT, seaweed.ADMIN_GRPC_DISTANCE)}
        self._ports.choose(names, fixed=fixed, pairs=pairs)
        self._turn("starting")

    def _end_leftovers(self) -> None:
        """A record that is still there is of a stack whose supervisor was killed. Its processes are in the way."""
        if not self._home.record_file.exists():
            return
        record = read_record(self._home)
        found = leftovers.find_leftovers(self._home.path, record.pids() if record else ())
        if found:
            leftovers.end_leftovers(found)
            self._announce(f"the last run was cut short; {len(found)} of its processes were still there and are ended")

    async def _keep_all(self, units: Sequence[Unit]) -> None:
        """Start the units side by side; return when all are ready. Raises StackError when one keeps dying."""
        fresh = [Keeper(unit, changed=self._write_record, announce=self._announce) for unit in units]
        for keeper in fresh:
            self._keepers[keeper.unit.name] = keeper
            task = asyncio.create_task(keeper.run())
            task.add_done_callback(self._stop_on_fault)
            self._tasks.append(task)
        waits = [asyncio.create_task(self._see_ready(keeper)) for keeper in fresh]
        try:
            await asyncio.gather(*waits)
        finally:
            for wait in waits:
                wait.cancel()

    async def _see_ready(self, keeper: Keeper) -> None:
        await keeper.first_ready
        self._announce(f"{keeper.unit.name} is ready on {keeper.unit.url}")

    def _server_unit(self, server: Server) -> Unit:
        async def start() -> Child:
            await server.prepare(self._children)
            with self._home.open_log(server.name) as log:
                return self._children.spawn(server.command(), log)

        return Unit(
            name=server.name,
            start=start,
            until_ready=lambda child: server.until_ready(child, self._children),
            log_tail=lambda: self._home.log_tail(server.name),
            port=self._ports[server.needs_port],
            url=server.url,
            health=server.health,
            stop_rank=SERVER_STOP_RANK,
            stop_signal=server.stop_signal,
            stop_seconds=server.stop_seconds,
        )

    def _service_unit(self, program: Program) -> Unit:
        environment = program_environment(program, self._home, self._route(self._ports), self._caller)
        url = f"http://127.0.0.1:{self._ports[program.name]}"

        health = f"{url}/readyz"
        return Unit(
            name=program.name,
            start=lambda: self._launcher.launch(program.name, program.module, environment),
            until_ready=lambda _: until_clear(lambda: find_obstacle(health), _SERVICE_SECONDS),
            log_tail=lambda: self._home.log_tail(program.name),
            port=self._ports[program.name],
            url=url,
            health=health,
            stop_rank=program.stop_rank,
            stop_signal=signal.SIGTERM,
            stop_seconds=_STOP_SECONDS,
        )

    async def _run_once(self, program: Program) -> None:
        environment = program_environment(program, self._home, self._route(self._ports), self._caller)
        child = await self._launcher.launch(program.name, program.module, environment)
        code = await child.wait()
        if code != 0:
            tail = indent(self._home.log_tail(program.name))
            raise StackError(f"{program.name} {describe_exit(code)}. The end of its log:\n{tail}")
        self._announce(f"{program.name} is done")

    async def _stop(self) -> None:
        """Stop by rank: the gateway, then services and workers, then the servers; nothing is left afterwards."""
        if self._state:
            self._turn("stopping")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        services = [keeper for keeper in self._keepers.values() if keeper.unit.stop_rank < SERVER_STOP_RANK]
        servers = [keeper for keeper in self._keepers.values() if keeper not in services]
        for rank in sorted({keeper.unit.stop_rank for keeper in services}):
            await self._stop_keepers([keeper for keeper in services if keeper.unit.stop_rank == rank])
        await self._launcher.close()
        await self._stop_keepers(servers)
        if servers:
            self._s3.remove_sockets()
        await self._children.end_all(_SWEEP_SECONDS)
        self._ports.close()
        if self._state:  # otherwise the record is of an earlier run, and still needed
            self._state = None
            self._home.record_file.unlink(missing_ok=True)

    async def _stop_keepers(self, keepers: Sequence[Keeper]) -> None:
        await asyncio.gather(*(keeper.stop() for keeper in keepers))
        if keepers:
            self._announce(f"stopped: {', '.join(keeper.unit.name for keeper in keepers)}")

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.request_stop)
        loop.add_signal_handler(signal.SIGCHLD, self._children.end_orphans)

    def request_stop(self) -> None:
        """Stop in order; asked again while that goes on, kill what still runs."""
        if self._stop_requested.is_set():
            for keeper in self._keepers.values():
                keeper.kill()
        self._stop_requested.set()

    def _announce(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def _stop_on_fault(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._fault = error
            self._stop_requested.set()

    def _turn(self, state: StackState) -> None:
        self._state = state
        self._write_record()

    def _write_record(self) -> None:
        if self._state is None:
            return
        processes = {name: known for name, keeper in self._keepers.items() if (known := keeper.record())}
        if launcher := self._launcher.child:
            processes["launcher"] = _record_of_launcher(launcher)
        record = StackRecord(
            home=str(self._home.path),
            supervisor_pid=os.getpid(),
            supervisor_identity=identify(os.getpid()),
            state=self._state,
            started_at=self._started_at,
            urls={name: keeper.unit.url for name, keeper in self._keepers.items()},
            processes=processes,
        )
        write_record(self._home, record)


def _raise_file_limit() -> None:
    """Allow all processes as many connections as the system lets this account have; a shell often allows 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _record_of_launcher(child: Child) -> ProcessRecord:
    started = datetime.fromtimestamp(child.started_at, UTC).isoformat(timespec="milliseconds")
    return ProcessRecord(child.pid, None, None, started, 0, child.identity, "ready", None)
