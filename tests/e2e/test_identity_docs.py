"""The commands of docs/identity.md, executed as they stand."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.stack import ROOT, Stack

PAGE = (ROOT / "docs" / "identity.md").read_text()


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={**stack.environment, **stack.exports()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr)
    current, members, verified, erasure = _answers(done.stdout)
    assert (current["name"], current["scopes"]) == ("Website", ["keys:write", "speech:read"])
    assert {member["name"] for member in members["items"]} == {"Ada", "Ben"}
    assert verified["intact"]
    assert erasure["reports"][0]["service"] == "gateway"


def _answers(output: str) -> list[Any]:  # Any: JSON
    decoder, position, found = json.JSONDecoder(), 0, []
    while position < len(output):
        answer, position = decoder.raw_decode(output, position)
        found.append(answer)
    return found
