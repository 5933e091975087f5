"""The commands of docs/identity.md, executed as they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.pages import page, run_commands
from tests.support.stack import Stack

PAGE = page("docs/identity.md")


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, PAGE)
    current, members, verified, exported, erasure = _answers(printed)
    assert (current["name"], current["scopes"]) == ("Website", ["keys:write", "speech:read"])
    assert {member["name"] for member in members["items"]} == {"Ada", "Ben"}
    assert verified["intact"]
    assert [(one["status"], one["include_audio"]) for one in exported["items"]] == [("completed", True)]
    assert erasure["reports"][0]["service"] == "gateway"


def _answers(output: str) -> list[Any]:  # Any: JSON
    decoder, position, found = json.JSONDecoder(), 0, []
    while position < len(output):
        answer, position = decoder.raw_decode(output, position)
        found.append(answer)
    return found
