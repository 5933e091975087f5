"""The commands of a page of the documentation, executed as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
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
    environment = folder / ".venv"
    if not environment.exists():
        environment.symlink_to(sys.prefix)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks_of(text, "sh"))],
        cwd=folder,
        env={**stack.environment, **stack.exports()},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr)
    return done.stdout
