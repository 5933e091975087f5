"""The rehearsal: a moment is restored into a second stack beside the one that works, looked at, and removed again."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from deploy.backup.audit import Findings, audit
from deploy.backup.restoring import restore
from deploy.backup.source import Source, tree_bytes
from deploy.backup.vault import Vault
from deploy.cli.client import GatewayClient
from deploy.embedded.credentials import read_secret
from deploy.embedded.errors import StackError
from deploy.embedded.home import REPOSITORY, Home

_UP_SECONDS = 600


def rehearse(vault: Vault, moment: datetime | None, show: Callable[[str], None]) -> Findings:
    """Restore a moment, start a stack from it on free ports, audit it. Nothing of it is left afterwards.

    It is not connected with anybody: no webhook is called, and it makes no backups. Raises StackError.
    """
    with tempfile.TemporaryDirectory(prefix="antiphon-drill-") as folder:
        home = Home(Path(folder) / "home")
        restored = restore(vault, moment, home, show, quiet=True)
        size = tree_bytes(home.path)
        began = time.monotonic()
        show("starting the restored stack")
        with _running(home, os.environ) as client:
            started = time.monotonic() - began
            findings = asyncio.run(audit(Source(home), client, show))
        findings.seconds = {
            f"restored {restored.choice.moment.isoformat()} ({size / 1e6:,.0f} MB) in": restored.seconds,
            "started in": started,
            **findings.seconds,
        }
        return findings


@contextmanager
def _running(home: Home, caller: Mapping[str, str]) -> Iterator[GatewayClient]:
    """Run the stack of a directory on a port of its own, without the caller's settings for backups and addresses."""
    port = _free_port()
    environment = {name: value for name, value in caller.items() if not name.startswith("ANTIPHON_")}
    environment |= {"ANTIPHON_HOME": str(home.path), "ANTIPHON_PORT": str(port), "ANTIPHON_ENVIRONMENT": "drill"}
    try:
        _antiphon(environment, "up", "--detach")
        yield GatewayClient(f"http://127.0.0.1:{port}", read_secret(home.secrets, "api_key"))
    finally:
        _antiphon(environment, "down")


def _antiphon(environment: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli.main", *arguments],
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=_UP_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"The restored stack: antiphon {arguments[0]} failed:\n{done.stderr.strip()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
