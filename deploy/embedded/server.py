"""What the supervisor needs to know of a server."""

from __future__ import annotations

import signal
from typing import Protocol

from deploy.embedded.processes import Child, Children, Command


class Server(Protocol):
    """One of the three servers. `prepare`, `command` and `until_ready` are gone through at every start."""

    name: str
    stop_signal: signal.Signals
    stop_seconds: float
    """How long to wait for an orderly end; a kill loses nothing that was acknowledged, in any of the three."""
    needs_port: str
    """The name of its main port."""

    @property
    def url(self) -> str: ...

    @property
    def health(self) -> str:
        """What to ask whether it works, see `probes.find_obstacle`."""

    async def prepare(self, children: Children, /) -> None:
        """Bring its files in order, whatever an earlier run left. Raises StackError when that cannot be done."""

    def command(self) -> Command: ...

    async def until_ready(self, child: Child, children: Children, /) -> None:
        """Return when it does its work. Raises StackError when it does not within its time."""
