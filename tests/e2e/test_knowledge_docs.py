"""The commands of docs/knowledge.md, executed as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.stack import ROOT, Stack

PAGE = (ROOT / "docs" / "knowledge.md").read_text()


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=dict(stack.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr)
    assert '"status":"pending"' in done.stdout
    assert '"highlights":[' in done.stdout
    assert '"text":"[1] Returns\\nYour money' in done.stdout
