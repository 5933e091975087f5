"""The commands of a page of the documentation, executed as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.stack import ROOT, Stack


def page(name: str) -> str:
    """Return what a page says: `docs/speech.md`, `README.md`."""
    return (ROOT / name).read_text()


def blocks_of(text: str, language: str) -> list[str]:
    """Return the blocks of a page that are in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run_commands(stack: Stack, folder: Path, text: str, *, within: float = 60) -> str:
    """Run all shell blocks of a page in `folder`, against `stack`; return what they print. They may not fail."""
    return run_shell({**stack.environment, **stack.exports()}, folder, text, within=within)


def run_shell(environment: Mapping[str, str], folder: Path, text: str, *, within: float = 60) -> str:
    """The same for a page that starts its stack itself, or needs none."""
    commands = _commands(folder)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks_of(text, "sh"))],
        cwd=folder,
        env={**environment, "PATH": f"{commands}{os.pathsep}{environment.get('PATH', os.defpath)}"},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr)
    return done.stdout


def _commands(folder: Path) -> Path:
    """A `.venv/bin` whose `antiphon` is this very code, whatever checkout the environment was made for."""
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True, exist_ok=True)
    run = f'PYTHONPATH="{ROOT}" exec "{sys.executable}"'
    for name, arguments in (("antiphon", "-m deploy.cli.main"), ("python", "")):
        (commands / name).write_text(f'#!/bin/sh\n{run} {arguments} "$@"\n')
        (commands / name).chmod(0o755)
    return commands
