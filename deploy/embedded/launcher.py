"""The process that every service is forked from.

Importing what a service needs takes seconds of CPU and 100 MB. This process does it once; each service is then a fork
that shares those pages and runs within milliseconds. It stays single-threaded and never starts an event loop, and no
module may open connections or draw random numbers when it is imported, for all forks would share the result.

    python -m deploy.embedded.launcher <socket descriptor> <module to import beforehand>...

On the socket it reads one JSON object a line, `{"name", "module", "environment", "log"}`, and answers each with
`{"pid"}`. The new process is a child of the supervisor, not of this one, so it survives the launcher.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.processes import die_with_parent

_PR_SET_NAME = 15


@dataclass(frozen=True)
class Launch:
    """A service to start: `main()` of `module`, with `environment` instead of this process's and `log` for output."""

    name: str
    module: str
    environment: dict[str, str]
    log: str


def main() -> None:
    """Serve launches until the supervisor closes the socket; in each fork, run the service and return."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    supervisor = os.getppid()
    import_beforehand(sys.argv[2:])
    connection.sendall(b'{"ready": true}\n')
    launch = serve(connection, supervisor)
    if launch is not None:
        sys.argv = [launch.module]
        importlib.import_module(launch.module).main()


def import_beforehand(modules: Sequence[str]) -> None:
    """Import the modules and set their memory apart, so that garbage collection in the forks leaves it shared."""
    gc.disable()
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:  # noqa: BLE001, a module may fail in any way
            # The others should run all the same. The service itself meets this error again when it is launched, and
            # then it is reported as the reason of its end.
            traceback.print_exc()
    gc.collect()
    gc.freeze()


def serve(connection: socket.socket, supervisor: int) -> Launch | None:
    """Answer requests. Returns None in the launcher when the socket is closed, and the launch in each new process."""
    with connection, connection.makefile("rb") as requests:
        for line in requests:
            launch = Launch(**json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            pid = fork_twice()
            if pid == 0:
                become(launch, supervisor)
                return launch
            connection.sendall(json.dumps({"pid": pid}).encode() + b"\n")
    return None


def fork_twice() -> int:
    """Fork a process that is handed to the nearest adopting ancestor. Returns its pid, and 0 in the process itself."""
    readable, writable = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(readable)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(writable)
            while os.getppid() == parent:  # microseconds: the one in the middle is about to end
                time.sleep(0.000_1)
            return 0
        os.write(writable, str(pid).encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as answer:
        pid = int(answer.read())
    os.waitpid(middle, 0)
    return pid


def become(launch: Launch, supervisor: int) -> None:
    """Turn a fresh fork into the process of a service: its own session, files, environment, name and signals."""
    os.setsid()
    die_with_parent(signal.SIGTERM)
    if os.getppid() != supervisor:
        os._exit(1)  # the supervisor ended in between; nobody would stop this process
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(launch.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(launch.environment)
    time.tzset()
    show_as(launch.name)
    gc.enable()


def show_as(name: str) -> None:
    """Let `ps` and `top` show the service's name, not the launcher's (Linux)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if 0 < start < end:
        # The kernel shows the arguments from where it once put them; they are ours to overwrite.
        text = f"antiphon: {name}".encode()[: end - start - 1]
        ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    main()
