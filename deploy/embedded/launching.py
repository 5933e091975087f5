"""Starting the Python processes of the stack: forked from the launcher where the system allows it, else one by one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from deploy.embedded.home import REPOSITORY, Home
from deploy.embedded.processes import HOME_MARK, Child, Children, Command, adopt_orphans, has_pidfd

_RESTART_SECONDS = 1.0
_STOP_SECONDS = 1.0


class LauncherGone(Exception):
    """The launcher ended before it answered."""


class Launcher(Protocol):
    """Starts modules as child processes of this one."""

    async def open(self) -> None:
        """Get ready, as far as that helps; `launch` waits for the rest."""

    async def launch(self, name: str, module: str, environment: Mapping[str, str]) -> Child:
        """Start `main()` of a module with this environment; its output goes to the log of that name."""

    @property
    def child(self) -> Child | None:
        """The launcher's own process, when it has one."""

    async def close(self) -> None: ...


def choose_launcher(home: Home, children: Children, modules: Sequence[str]) -> Launcher:
    """The forking launcher where processes can be adopted and watched (Linux), else plain interpreters."""
    if has_pidfd() and adopt_orphans():
        return ForkingLauncher(home, children, modules)
    return InterpreterLauncher(home, children)


class InterpreterLauncher:
    """A Python interpreter of its own for each process."""

    child = None

    def __init__(self, home: Home, children: Children) -> None:
        self._home = home
        self._children = children

    async def open(self) -> None:
        return

    async def launch(self, name: str, module: str, environment: Mapping[str, str]) -> Child:
        command = Command([sys.executable, "-m", module], {**environment, **_import_path()}, cwd=Path("/"))
        with self._home.open_log(name) as log:
            return self._children.spawn(command, log)

    async def close(self) -> None:
        return


class ForkingLauncher:
    """A launcher process that has everything imported; a new one takes over when it dies."""

    def __init__(self, home: Home, children: Children, modules: Sequence[str]) -> None:
        self._home = home
        self._children = children
        self._modules = modules
        self._child: Child | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def child(self) -> Child | None:
        return self._child

    async def open(self) -> None:
        await self._start()
        self._keeper = asyncio.create_task(self._keep())

    async def launch(self, name: str, module: str, environment: Mapping[str, str]) -> Child:
        self._home.open_log(name).close()
        request = {"name": name, "module": module, "environment": dict(environment), "log": str(self._home.log(name))}
        while True:
            try:
                return await self._ask(request)
            except LauncherGone:
                if self._keeper and self._keeper.done():
                    self._keeper.result()  # raises why no new launcher could be started
                await asyncio.sleep(_RESTART_SECONDS)

    async def close(self) -> None:
        if self._keeper:
            self._keeper.cancel()
        if self._streams:
            self._streams[1].close()
        if self._child:
            await self._child.stop(signal.SIGTERM, _STOP_SECONDS)  # it may still be importing

    async def _ask(self, request: Mapping[str, object]) -> Child:
        async with self._turn:
            if self._streams is None:
                raise LauncherGone
            reader, writer = self._streams
            with self._children.expecting_one():
                try:
                    writer.write(json.dumps(request).encode() + b"\n")
                    answer = await self._answer(reader)
                except ConnectionError:
                    raise LauncherGone from None
                pid = answer["pid"]
                if not isinstance(pid, int):
                    raise TypeError(f"the launcher answered {answer}")
                return self._children.adopt(pid)

    async def _answer(self, reader: asyncio.StreamReader) -> dict[str, object]:
        """The next answer; the first one after a start says that everything is imported."""
        while True:
            line = await reader.readline()
            if not line:
                raise LauncherGone
            answer: dict[str, object] = json.loads(line)
            if "pid" in answer:
                return answer

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            argv = [sys.executable, "-m", "deploy.embedded.launcher", str(theirs.fileno()), *self._modules]
            environment = {**os.environ, **_import_path(), HOME_MARK: str(self._home.path)}
            # One thread only: numpy's linear algebra would start a pool at import, which a fork does not inherit.
            environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            command = Command(argv, environment, cwd=Path("/"), pass_fds=(theirs.fileno(),))
            with self._home.open_log("launcher") as log:
                self._child = self._children.spawn(command, log)
        self._streams = await asyncio.open_unix_connection(sock=ours)

    async def _keep(self) -> None:
        while self._child:
            await self._child.wait()
            if self._streams:
                self._streams[1].close()
            self._streams = None
            await asyncio.sleep(_RESTART_SECONDS)
            await self._start()


def _import_path() -> dict[str, str]:
    """The caller's import path, by which the repository is found even when it is not installed."""
    given = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), *([given] if given else [])])}
