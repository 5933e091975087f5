"""Processes of the stack: started so that they do not outlive it, watched without polling, recognised after a crash."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy.embedded.errors import StackError

HOME_MARK = "ANTIPHON_SUPERVISED_HOME"
"""Environment variable of every process of a stack; its value is the state directory."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Account:
    """The account that a process runs as, when not the supervisor's own."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """What to execute. `environment` is the whole environment, nothing is inherited."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    account: Account | None = None
    pass_fds: Sequence[int] = ()
    stdin: int | None = None
    """A descriptor to read from; nothing otherwise."""
    orphan_signal: signal.Signals = signal.SIGTERM
    """What the kernel sends it when the supervisor dies (Linux)."""


class Child:
    """A running child process.

    `reap` collects its exit status; it is called once, when the process has ended, and `ended` right after it.
    """

    def __init__(self, pid: int, reap: Callable[[], int], ended: Callable[[], object]) -> None:
        self.pid = pid
        self.identity = identify(pid)
        self.started_at = time.time()
        self._reap = reap
        self._on_end = ended
        self._exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if has_pidfd():
            self._watch_descriptor()
        else:
            self._watch_from_a_thread()

    async def wait(self) -> int:
        """The exit code; the negative signal number when a signal ended it."""
        return await asyncio.shield(self._exit_code)

    @property
    def ended(self) -> bool:
        return self._exit_code.done()

    def send(self, number: signal.Signals) -> None:
        """Signal the process; nothing happens when it has ended. Until it is reaped its pid cannot be another's."""
        if not self.ended:
            os.kill(self.pid, number)

    async def stop(self, number: signal.Signals, deadline: float) -> bool:
        """Ask it to end with a signal; kill it after `deadline` seconds. False when it had to be killed."""
        self.send(number)
        try:
            async with asyncio.timeout(deadline):
                await self.wait()
            return True
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.wait()
            return False

    def _watch_descriptor(self) -> None:
        loop = asyncio.get_running_loop()
        descriptor = os.pidfd_open(self.pid)

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._finish()

        loop.add_reader(descriptor, ended)

    def _watch_from_a_thread(self) -> None:
        loop = asyncio.get_running_loop()

        def watch() -> None:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            loop.call_soon_threadsafe(self._finish)

        threading.Thread(target=watch, name=f"watch-{self.pid}", daemon=True).start()

    def _finish(self) -> None:
        # Helpers that it left in its process group go with it. As it is not reaped yet, the group is still its own.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._exit_code.set_result(self._reap())
        self._on_end()


class Children:
    """All children of the supervisor. What else turns out to be its child was left behind by one of them."""

    def __init__(self) -> None:
        self._by_pid: dict[int, Child] = {}
        self._births = 0

    def spawn(self, command: Command, output: IO[bytes]) -> Child:
        """Start a program in a session of its own, with both outputs going to `output`.

        Raises OSError when it cannot be executed.
        """
        account = command.account
        process = subprocess.Popen(
            command.argv,
            env=dict(command.environment),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL if command.stdin is None else command.stdin,
            stdout=output,
            stderr=output,
            pass_fds=command.pass_fds,
            start_new_session=True,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
            # Safe beside threads, as it calls one C function that was looked up before.
            preexec_fn=dying_with_parent(command.orphan_signal),  # noqa: PLW1509
        )
        return self._add(process.pid, process.wait)

    def adopt(self, pid: int) -> Child:
        """Watch a process that became a child of this one when its own parent ended."""
        return self._add(pid, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    @contextmanager
    def expecting_one(self) -> Iterator[None]:
        """While a new child is on its way and its pid not yet known, nothing counts as left behind."""
        self._births += 1
        try:
            yield
        finally:
            self._births -= 1

    def end_orphans(self) -> None:
        """Kill and reap what ended children left behind (Linux).

        Never blocks: an orphan that is only now killed is reaped by the next call, which its SIGCHLD causes.
        """
        for pid in [] if self._births else self._orphans():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)

    async def end_all(self, seconds: float) -> None:
        """Kill whatever child is left, known or not.

        Raises StackError when some remain after `seconds`: they hang in the kernel.
        """
        deadline = time.monotonic() + seconds
        while remaining := [*self._by_pid, *self._orphans()]:
            if time.monotonic() > deadline:
                raise StackError(f"Processes {' '.join(map(str, remaining))} cannot be ended; look at them with: ps -l")
            for child in list(self._by_pid.values()):
                child.send(signal.SIGKILL)
            self.end_orphans()
            await asyncio.sleep(0.01)

    def _orphans(self) -> list[int]:
        listings = Path("/proc/self/task").glob("*/children")
        pids = [int(pid) for listing in listings for pid in listing.read_text().split()]
        return [pid for pid in pids if pid not in self._by_pid]

    def _add(self, pid: int, reap: Callable[[], int]) -> Child:
        child = Child(pid, reap, ended=lambda: self._by_pid.pop(pid))
        self._by_pid[pid] = child
        return child


def has_pidfd() -> bool:
    """Whether this kernel can watch a process through a descriptor (Linux 5.3, and not filtered by a sandbox)."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def adopt_orphans() -> bool:
    """Make this process the parent of descendants that lose theirs; False where the system cannot (not Linux)."""
    return sys.platform == "linux" and _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel send this process a signal when its present parent ends; nothing where it cannot (not Linux)."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, number)


def identify(pid: int) -> str | None:
    """A text that no other process ever shares: when the process began, counted from which boot. None if it is gone."""
    return _identify_on_linux(pid) if sys.platform == "linux" else _identify_anywhere(pid)


def is_running(pid: int, identity: str | None) -> bool:
    """Whether the very process that was recorded under this pid still runs."""
    return identity is not None and identify(pid) == identity


def dying_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """What a new process calls before it becomes its program, so that the kernel ends it with its parent (Linux)."""
    if sys.platform != "linux":
        return None
    # Looked up here: between fork and exec nothing should be loaded.
    prctl, argument = ctypes.CDLL(None).prctl, int(number)

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, argument)

    return arm


def _prctl(option: int, value: int) -> bool:
    result: int = ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0)
    return result == 0


def _identify_on_linux(pid: int) -> str | None:
    try:
        # The second field, the name in parentheses, may hold anything; the 22nd is the start in clock ticks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _identify_anywhere(pid: int) -> str | None:
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return None
