"""Logs are one JSON object a line and hold nothing of a user."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from libs.telemetry.logs import configure_logs


class OwnError(Exception):
    """An exception whose message this project chose."""


OwnError.__module__ = "libs.somewhere"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    configure_logs("voice", "INFO")
    yield output
    root.handlers, root.level = handlers, level


def test_a_line_has_the_service_and_what_was_added(lines: io.StringIO) -> None:
    logging.getLogger("x").info("ready", extra={"port": 1})
    line = json.loads(lines.getvalue())
    assert (line["service"], line["event"], line["port"], line["level"]) == ("voice", "ready", 1, "info")


def test_an_exception_is_located_and_its_values_stay_out(lines: io.StringIO) -> None:
    secret = "the user's text"

    def fail() -> None:
        try:
            raise ValueError(f"cannot insert {secret}")
        except ValueError as error:
            raise OwnError("our own words") from error

    try:
        fail()
    except OwnError:
        logging.getLogger("x").exception("failed")
    written = lines.getvalue()
    assert "user's text" not in written
    first, cause = json.loads(written)["exception"]
    assert (first["type"], first["message"]) == ("libs.somewhere.OwnError", "our own words")
    assert cause["type"] == "builtins.ValueError"
    assert "message" not in cause
    assert cause["frames"][-1].endswith(" fail")
