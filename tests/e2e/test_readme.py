"""The README's first requests, executed as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.stack import ROOT, Stack


def first_requests() -> str:
    """All shell blocks of the README's section, in their order."""
    section = re.search(r"^## First requests\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert section is not None
    blocks = re.findall(r"^```sh\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    return "\n".join(blocks)


def test_the_first_requests_work_as_written(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", first_requests()],
        cwd=tmp_path,
        env=dict(stack.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "problem" not in done.stdout
    for file in ("hello.mp3", "line.mp3"):
        assert (tmp_path / file).stat().st_size > 2_000
    assert '"characters":["H","e","l","l","o"' in done.stdout.replace(" ", "")
