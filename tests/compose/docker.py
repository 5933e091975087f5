"""Docker Compose, whichever of its two kinds is here, for a project of our own that goes away again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]

INSTALL = (
    "Install Docker with Compose and start it (Debian, Ubuntu: apt install docker.io docker-compose; "
    "else see docs.docker.com/engine/install), then run again: make compose-test"
)


class DockerMissing(Exception):
    """There is no Docker to test with; the message says what to do."""


class ComposeFailed(Exception):
    """A command of Compose failed; the message is what it said."""


def find_compose() -> tuple[str, ...]:
    """The command that Compose is here: v2 where it is, else docker-compose.

    Raises DockerMissing without it, or without a Docker daemon that answers.
    """
    if shutil.which("docker") is None:
        raise DockerMissing(f"There is no docker on PATH.\n{INSTALL}")
    daemon = _said("docker", "version", "--format", "{{.Server.Version}}")
    if daemon.returncode:
        raise DockerMissing(f"The Docker daemon does not answer: {daemon.stderr.strip()}\n{INSTALL}")
    for command in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(command[0]) and _said(*command, "version").returncode == 0:
            return command
    raise DockerMissing(f"Docker is here, but Compose is not.\n{INSTALL}")


@dataclass(frozen=True)
class Project:
    """One Compose project with a name, a gateway port and an image tag that nobody else uses."""

    compose: tuple[str, ...]
    name: str
    port: int
    s3_port: int

    @classmethod
    def choose(cls, compose: tuple[str, ...]) -> Project:
        with socket.socket() as one, socket.socket() as other:
            ports = []
            for free in (one, other):
                free.bind(("127.0.0.1", 0))
                ports.append(free.getsockname()[1])
        return cls(compose, f"antiphon-test-{uuid4().hex[:8]}", *ports)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def image(self) -> str:
        return f"antiphon:{self.name}"

    def build(self) -> None:
        self.run("build", "prepare")

    def up(self) -> None:
        self.run("up", "--detach")

    def down(self) -> None:
        """Remove everything of the project, its data and its image; what was built stays in Docker's cache."""
        self.run("down", "--volumes", "--remove-orphans")
        _said("docker", "image", "rm", self.image)

    def read(self, service: str, path: str) -> str:
        """What a file in the container of `service` holds."""
        return self.run("exec", "-T", service, "cat", path).strip()

    def shell(self, commands: str, *, within: float) -> str:
        """Run the commands of a page, in which Compose is `docker compose` and the project the present one."""
        with tempfile.TemporaryDirectory() as folder:
            shim = Path(folder) / "docker"
            shim.write_text(
                f'#!/bin/sh\n[ "$1" = compose ] || exec {shutil.which("docker")} "$@"\nshift\n'
                f'exec {" ".join(self.compose)} --file "{ROOT}/docker-compose.yml" --project-name {self.name} "$@"\n'
            )
            shim.chmod(0o755)
            environment = {**self._environment(), "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
            done = _said(
                "timeout", f"{within:.0f}", "bash", "-euo", "pipefail", "-c", commands, environment=environment
            )
        if done.returncode:
            raise ComposeFailed(f"{commands}\n{done.stdout[-4000:]}{done.stderr[-6000:]}")
        return done.stdout

    def containers(self) -> str:
        return self.run("ps", "--all") if self.compose[0] == "docker" else self.run("ps")

    def logs(self, lines: int = 15) -> str:
        return self.run("logs", "--no-color", f"--tail={lines}")

    def left_behind(self) -> list[str]:
        """Containers, volumes and networks that still carry the project's label."""
        label = f"label=com.docker.compose.project={self.name}"
        kinds: Sequence[tuple[str, ...]] = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return [line for kind in kinds for line in _said("docker", *kind, "-q", "--filter", label).stdout.split()]

    def run(self, *arguments: str) -> str:
        command = [*self.compose, "--file", str(ROOT / "docker-compose.yml"), "--project-name", self.name, *arguments]
        done = _said(*command, environment=self._environment())
        if done.returncode:
            raise ComposeFailed(f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-6000:]}")
        return done.stdout

    def _environment(self) -> Mapping[str, str]:
        ours = {
            "ANTIPHON_PORT": str(self.port),
            "ANTIPHON_TAG": self.name,
            "ANTIPHON_S3_PORT": str(self.s3_port),
            "ANTIPHON_S3_PUBLIC_ENDPOINT": f"http://127.0.0.1:{self.s3_port}",
        }
        # Without Docker's newer builder, clients that would ask for it are told not to.
        if "DOCKER_BUILDKIT" not in os.environ and _said("docker", "buildx", "version").returncode:
            ours["DOCKER_BUILDKIT"] = "0"
        return {**os.environ, **ours}


def _said(*command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
