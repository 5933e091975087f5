"""The commands of docs/storage.md, executed as they stand."""

from __future__ import annotations

from pathlib import Path

from tests.support.pages import page, run_commands
from tests.support.stack import Stack

PAGE = page("docs/storage.md")


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    run_commands(stack, tmp_path, PAGE)
    assert (tmp_path / "begin.mp3").read_bytes() == (tmp_path / "whole.mp3").read_bytes()[:1024]
    assert (tmp_path / "words.vtt").read_text().startswith("WEBVTT")
