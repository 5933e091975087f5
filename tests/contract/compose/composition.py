"""What docker-compose.yml says, read for the tests that hold it to something."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.contract.compose import ROOT

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_0-9]+):-(?P<default>[^}]*)\}")


@dataclass(frozen=True)
class Container:
    """One service of the file, in the words of Compose."""

    name: str
    said: Mapping[str, Any]  # Any: as YAML has it

    @property
    def image(self) -> str:
        return str(self.said["image"])

    @property
    def module(self) -> str | None:
        """The Python module that it runs."""
        command = self.said.get("command", [])
        return command[2] if command[:2] == ["python", "-m"] else None

    @property
    def environment(self) -> dict[str, str | None]:
        """Its variables; None for those that only pass through from the shell."""
        return dict(self.said.get("environment", {}))

    @property
    def given(self) -> dict[str, str]:
        """The variables that it has whatever the shell has, defaults filled in."""
        return {name: filled_in(str(value)) for name, value in self.environment.items() if value is not None}

    @property
    def volumes(self) -> dict[str, str]:
        """Where each volume is mounted, by volume."""
        return {volume.split(":")[0]: volume.split(":")[1] for volume in self.said.get("volumes", [])}

    @property
    def ports(self) -> list[str]:
        return [filled_in(str(port)) for port in self.said.get("ports", [])]

    @property
    def waits_for(self) -> dict[str, str]:
        """The condition by container."""
        return {name: how["condition"] for name, how in self.said.get("depends_on", {}).items()}


@dataclass(frozen=True)
class Composition:
    """The whole file."""

    containers: Mapping[str, Container]
    volumes: frozenset[str]

    @classmethod
    def read(cls, path: Path = ROOT / "docker-compose.yml") -> Composition:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        containers = {name: Container(name, service) for name, service in said["services"].items()}
        return cls(containers, frozenset(said["volumes"]))


def filled_in(text: str) -> str:
    """`text` as Compose reads it in an empty shell."""
    return _VARIABLE.sub(lambda match: match["default"], text)
