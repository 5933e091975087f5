"""The commands of docs/idempotency.md, executed as they stand."""

from __future__ import annotations

from pathlib import Path

from tests.support.pages import page, run_commands
from tests.support.stack import Stack

PAGE = page("docs/idempotency.md")


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, PAGE)
    answers = [part.replace("\r\n", "\n").partition("\n\n") for part in printed.split("HTTP/1.1 ")[1:]]
    assert [head.startswith("202") for head, _, _ in answers] == [True, True]
    assert ["idempotency-replayed: true" in head.lower() for head, _, _ in answers] == [False, True]
    assert answers[0][2].strip() == answers[1][2].strip()
