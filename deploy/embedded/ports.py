"""The ports of one stack: chosen free, kept from one start to the next, reserved while the stack runs."""

from __future__ import annotations

import errno
import json
import random
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.home import write_atomically
from deploy.embedded.seaweed import is_claimed_by_others

# Below the range from which Linux (32768) and macOS (49152) take the local end of outgoing connections: a port in
# that range may be gone in the moment a restarted server wants it back.
_LOWEST, _HIGHEST = 10_240, 32_767
_ATTEMPTS = 1_000


class Ports(Mapping[str, int]):
    """Port by name.

    On Linux each port is held by a socket that is bound but does not listen, for as long as this object lives: the
    process that the port is meant for can listen on it (both sides set SO_REUSEADDR), nobody else is given it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._chosen: dict[str, int] = {}
        self._held: list[socket.socket] = []

    def choose(
        self, names: Sequence[str], *, fixed: Mapping[str, int], pairs: Mapping[str, tuple[str, int]] | None = None
    ) -> None:
        """Settle a port for each name and remember it.

        `fixed` ports must be exactly that; `pairs` maps a name to another one that lies a given distance above.
        Raises StackError when a fixed port is taken.
        """
        remembered = read_ports(self._file)
        above = pairs or {}
        for name, port in fixed.items():
            if not _listenable(port):
                raise StackError(_taken(name, port))
            self._hold(name, port)
        for name in names:
            partner = above.get(name)
            last = remembered.get(name)
            for port in (*([] if last is None else [last]), *_candidates()):
                wanted = [port] if partner is None else [port, port + partner[1]]
                if all(self._is_free(number, known=port == last) for number in wanted):
                    break
            else:
                raise StackError(f"No free port was found for {name} between {_LOWEST} and {_HIGHEST}.")
            self._hold(name, port)
            if partner is not None:
                self._hold(partner[0], port + partner[1])
        write_atomically(self._file, json.dumps(self._chosen, indent=1) + "\n", mode=0o644)

    def close(self) -> None:
        """Let go of the reservations."""
        while self._held:
            self._held.pop().close()

    def _is_free(self, port: int, *, known: bool) -> bool:
        if port in self._chosen.values() or is_claimed_by_others(port):
            return False
        # A port of the last run may still have closed connections that linger; for a new one there is no reason to
        # accept that, and the strict test also sees a reservation of a stack that is only just starting.
        return _listenable(port) if known else _bindable(port)

    def _hold(self, name: str, port: int) -> None:
        self._chosen[name] = port
        if sys.platform == "linux":
            holder = socket.socket()
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", port))
            self._held.append(holder)

    def __getitem__(self, name: str) -> int:
        return self._chosen[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._chosen)

    def __len__(self) -> int:
        return len(self._chosen)


def read_ports(file: Path) -> dict[str, int]:
    """The ports of the last start; empty when there was none or the file is unreadable, for all can be chosen anew."""
    try:
        return {str(name): int(port) for name, port in json.loads(file.read_text()).items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}


def _candidates() -> Iterator[int]:
    for _ in range(_ATTEMPTS):
        yield random.randint(_LOWEST, _HIGHEST)  # noqa: S311, a port is not a secret


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        return _binds(probe, port)


def _listenable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not _binds(probe, port):
            return False
        try:
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def _binds(probe: socket.socket, port: int) -> bool:
    if port > 65_535:
        return False
    try:
        probe.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise
    return True


def _taken(name: str, port: int) -> str:
    owner = _owner(port)
    by = f" by {owner}" if owner else ""
    if port < 1024:
        by += " or reserved for root"
    return (
        f"Port {port}, where the {name} should listen, is taken{by}.\n"
        f"Stop that, or choose another port: ANTIPHON_PORT={port + 1 if port < 65_535 else 8081} antiphon up"
    )


def _owner(port: int) -> str | None:
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                return None
    return None
