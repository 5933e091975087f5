"""The commands of docs/uploads.md, executed as they stand."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.pages import page, run_commands
from tests.support.stack import Stack

PAGE = page("docs/uploads.md")


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    run_commands(stack, tmp_path, PAGE)
    media = json.loads((tmp_path / "media.json").read_text())
    assert (media["kind"], media["content_type"], media["owner"]) == ("document", "text/plain", "project-7")
    assert [item["id"] for item in json.loads((tmp_path / "list.json").read_text())["items"]] == [media["id"]]
