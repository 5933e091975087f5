"""The commands of docs/knowledge.md, executed as they stand."""

from __future__ import annotations

from pathlib import Path

from tests.support.pages import page, run_commands
from tests.support.stack import Stack

PAGE = page("docs/knowledge.md")


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, PAGE, within=120)
    assert '"status":"pending"' in printed
    assert '"highlights":[' in printed
    assert '"text":"[1] Returns\\nYour money' in printed
