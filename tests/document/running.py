"""Running schemathesis over the whole document against a stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.gateway.api.events import LASTING
from tests.support.stack import Stack, running_stack

MOST_SECONDS = 7200
"""Twenty thousand requests take eight minutes on four cores of their own, and an hour on busy ones."""
CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
PLANS, MUCH = ("FREE", "PRO", "ENTERPRISE"), "1000000"
UNLIMITED = {
    **{f"ANTIPHON_{plan}_{what}_REQUESTS": MUCH for plan in PLANS for what in ("KEY", "ORGANIZATION")},
    **{f"ANTIPHON_{plan}_CONCURRENT_REQUESTS": "1000" for plan in PLANS},
    "ANTIPHON_STRANGER_REQUESTS": MUCH,
    "ANTIPHON_ENGINE_PROCESSES": "2",
}
"""Limits are held elsewhere; here they would hide what is behind them."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run: how many requests over how many operations, and what was wrong, in words."""

    requests: int
    operations: int
    seconds: float
    failures: int
    output: str


@contextmanager
def unlimited_stack() -> Iterator[Stack]:
    """Run a stack that lets one client ask as much as it wants."""
    with running_stack(UNLIMITED) as stack:
        yield stack


def fuzz(stack: Stack, folder: Path, *, examples: int, phases: str, seed: int) -> Report:
    """Send up to `examples` requests to each operation in each of the `phases`, and check every answer."""
    report = folder / "report.json"
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("--config-file", str(CONFIGURATION), "--no-color", "run", f"{stack.url}/openapi.json", "--url", stack.url),
        *("--phases", phases, "--max-examples", str(examples)),
        # An answer that lasts until the client goes away has tests of its own.
        *("--exclude-by", f"/{LASTING} == true"),
        *("--seed", str(seed), "--report", "json", "--report-json-path", str(report)),
    ]
    done = subprocess.run(
        command, cwd=folder, env=_environment(stack), capture_output=True, text=True, check=False, timeout=MOST_SECONDS
    )
    if not report.exists():
        raise RuntimeError(f"schemathesis did not run:\n{done.stdout}\n{done.stderr}")
    said: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))  # Any: schemathesis's own report
    cases = said["test_cases"]
    failures = cases["unique_failures"] + len(said["errors"]) + (done.returncode != 0)
    return Report(cases["generated"], said["operations"]["tested"], said["running_time"], failures, done.stdout)


def _environment(stack: Stack) -> dict[str, str]:
    # No proxy stands between the test and the stack.
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "ANTIPHON_API_KEY": stack.api_key}
