"""The commands of docs/embedding-models.md, executed as they stand."""

from __future__ import annotations

from pathlib import Path

from tests.support.pages import page, run_commands
from tests.support.stack import Stack

PAGE = page("docs/embedding-models.md")


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, PAGE)
    (line,) = [line for line in printed.splitlines() if line.startswith("all-MiniLM-L6-v2")]
    assert line.split()[1:3] == ["384", "active"]
    assert line.split()[3] == line.split()[4] != "0"
