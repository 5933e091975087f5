"""Which checks there are, and running them under a client of a certain version."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.setup.sdks import ensure_sdk
from tests.sdks.claiming import UNKNOWN_TO_THIS_VERSION

FOLDER = Path(__file__).parent
VERSIONS = {"elevenlabs": ("elevenlabs", "elevenlabs-1"), "openai": ("openai", "openai-1")}
"""The environments (`requirements/sdks`) of each vendor's client: the newest and an old one."""
RUN_SECONDS = 110


@dataclass(frozen=True, slots=True)
class Check:
    """A function that shows routes to work; `module` is its file's name."""

    module: str
    name: str
    routes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def checks_of(vendor: str) -> list[Check]:
    """Return all checks of a vendor's client, without loading them: their imports exist only under the client."""
    return [
        Check(path.stem, node.name, routes)
        for path in sorted((FOLDER / vendor).glob("*.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and (routes := _claimed(node))
    ]


def _claimed(function: ast.FunctionDef) -> tuple[str, ...]:
    return tuple(
        ast.literal_eval(argument)
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "claims"
        for argument in decorator.args
    )


def run_checks(version: str, module: str, given: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Run a module (`elevenlabs.voices`) under a client; return each check's outcome as `run.py` tells it.

    `given` is what each check gets: where the gateway is, a key, and whatever else JSON can say. The client sees
    nothing of this process's environment but where commands and certificates are.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    if "certificate" in given:
        kept["SSL_CERT_FILE"] = str(given["certificate"])
    run = subprocess.run(
        [str(ensure_sdk(version)), "-I", str(FOLDER / "run.py"), f"tests.sdks.{module}"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        env=kept,
        timeout=RUN_SECONDS,
    )
    if run.returncode:
        raise RuntimeError(f"{module} under {version} did not run:\n{run.stdout}\n{run.stderr}")
    outcomes: dict[str, Any] = json.loads(run.stdout)
    return outcomes


def unseen(routes: Iterable[str], outcome: Mapping[str, Any]) -> list[str]:  # Any: JSON
    """Return those of the claimed HTTP routes that a check did not ask for, but for what its version does not know."""
    if outcome["returned"] == UNKNOWN_TO_THIS_VERSION:
        return []
    asked = [(method, path) for method, path, _ in outcome["requests"]]
    return [route for route in routes if not route.startswith("WebSocket ") and not _is_among(route, asked)]


def _is_among(route: str, asked: Iterable[tuple[str, str]]) -> bool:
    method, template = route.split(" ")
    pattern = re.compile(r"(?:/[a-z]+)?" + re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)) + "/?")
    return any(one == method and pattern.fullmatch(path) for one, path in asked)
