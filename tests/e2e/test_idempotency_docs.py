"""The commands of docs/idempotency.md, executed as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.stack import ROOT, Stack

PAGE = (ROOT / "docs" / "idempotency.md").read_text()


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
    answers = [part.replace("\r\n", "\n").partition("\n\n") for part in done.stdout.split("HTTP/1.1 ")[1:]]
    assert [head.startswith("202") for head, _, _ in answers] == [True, True]
    assert ["idempotency-replayed: true" in head.lower() for head, _, _ in answers] == [False, True]
    assert answers[0][2].strip() == answers[1][2].strip()
