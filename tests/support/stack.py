"""A whole stack of its own for tests: started by the command that people use, in a directory that goes away."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
UP_SECONDS = 300
"""A start takes ten seconds on an idle machine, and minutes where others start at the same time."""


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    home: Path
    environment: Mapping[str, str]

    @property
    def record(self) -> dict[str, Any]:
        """What `stack.json` says now."""
        content: dict[str, Any] = json.loads((self.home / "stack.json").read_text())
        return content

    @property
    def url(self) -> str:
        """The gateway's address."""
        return str(self.record["urls"]["gateway"])

    @property
    def api_key(self) -> str:
        """The first organisation's key."""
        return (self.home / "secrets" / "api_key").read_text().strip()

    def pid(self, process: str) -> int:
        """The pid that a process has now."""
        return int(self.record["processes"][process]["pid"])

    def exports(self) -> dict[str, str]:
        """What `antiphon env` prints, as a mapping."""
        lines = self.run("env").stdout.splitlines()
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines if "=" in line)
        return {name: value.strip("'\"") for name, value in pairs}

    def run(self, *arguments: str, check: bool = True, timeout: float = UP_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run the `antiphon` command on this stack."""
        return _antiphon(self.environment, *arguments, check=check, timeout=timeout)

    def log(self, process: str) -> str:
        """The log of a process."""
        return (self.home / "logs" / f"{process}.log").read_text(errors="replace")


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def without_settings() -> dict[str, str]:
    """The caller's environment without what is said of a stack there."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("ANTIPHON_", "OTEL_"))}


@contextmanager
def running_stack(extra: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Run a stack in a temporary directory, without the caller's ANTIPHON_ and OTEL_ settings."""
    home = Path(tempfile.mkdtemp(prefix="antiphon-stack-"))
    try:
        with resumed_stack(home, extra) as stack:
            yield stack
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def resumed_stack(home: Path, extra: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Run the stack whose state lies in a directory, which stays."""
    environment = {**without_settings(), "ANTIPHON_HOME": str(home), "ANTIPHON_PORT": str(free_port()), **(extra or {})}
    stack = Stack(home, environment)
    try:
        started = _antiphon(environment, "up", "--detach", check=False)
        if started.returncode != 0:
            raise RuntimeError(f"the stack did not start:\n{started.stdout}\n{started.stderr}")
        yield stack
    finally:
        _antiphon(environment, "down", check=False)


def _antiphon(
    environment: Mapping[str, str], *arguments: str, check: bool = True, timeout: float = UP_SECONDS
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli.main", *arguments],
        env=dict(environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=check,
        timeout=timeout,
    )
