"""What runs in the embedded stack beside the three servers: plain data, read by the supervisor and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SERVICES = ("voice", "generation", "storage", "embedding", "analytics", "gateway")
"""The services that own a database."""

NATS_USERS = ("provisioner", "gateway", "voice", "generation", "worker", "storage", "embedding", "analytics")


@dataclass(frozen=True)
class Program:
    """One Python module of the system, with a `main()`.

    A `once` program runs to its end before what names it in `after` is started; the others serve HTTP. An `operator`
    reads what it needs from the state directory.
    `service` names the database and the identity that it uses, `nats_user` its account at the broker.
    Programs of a lower `stop_rank` are stopped before those of a higher one.
    """

    name: str
    module: str
    kind: Literal["once", "service", "worker", "operator"]
    after: tuple[str, ...]
    service: str
    nats_user: str
    stop_rank: int = 1


INIT = Program("init", "deploy.init", "once", ("postgres", "nats", "s3"), "init", "provisioner")

PROGRAMS: tuple[Program, ...] = (
    INIT,
    Program("gateway", "services.gateway.main", "service", ("init",), "gateway", "gateway", stop_rank=0),
    Program("voice", "services.voice.main", "service", ("init",), "voice", "voice"),
    Program("generation", "services.generation.main", "service", ("init",), "generation", "generation"),
    Program("worker", "services.generation.worker", "worker", ("init",), "generation", "worker"),
    Program("storage", "services.storage.main", "service", ("init",), "storage", "storage"),
    Program("embedding", "services.embedding.main", "service", ("init",), "embedding", "embedding"),
    Program("analytics", "services.analytics.main", "service", ("init",), "analytics", "analytics"),
)

BACKUP = Program("backup", "deploy.backup.runner", "operator", ("init",), "backup", "provisioner")
"""Keeps backups going, where somebody has said where they should lie."""


def choose_programs(environment: Mapping[str, str]) -> tuple[Program, ...]:
    """All that is to run with these settings."""
    return (*PROGRAMS, BACKUP) if environment.get("ANTIPHON_BACKUP_DIR") else PROGRAMS
