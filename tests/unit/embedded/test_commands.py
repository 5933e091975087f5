from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.client import ApiError, GatewayClient, connect, explain
from deploy.cli.logs import print_logs
from deploy.cli.speech import find_voice
from deploy.cli.stack import gateway_port
from deploy.cli.status import ProcessStatus, StackStatus, render
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home
from deploy.embedded.record import ProcessRecord, StackRecord, read_record, write_record


def a_record(home: Home) -> StackRecord:
    process = ProcessRecord(
        7, 80, "http://127.0.0.1:80", "2026-01-01T00:00:00+00:00", 1, "boot:1", "ready", "http://x/readyz"
    )
    return StackRecord(
        home=str(home.path),
        supervisor_pid=5,
        supervisor_identity="boot:0",
        state="ready",
        urls={"gateway": "http://127.0.0.1:80"},
        started_at="2026-01-01T00:00:00+00:00",
        processes={"gateway": process},
    )


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert read_record(home) is None
    write_record(home, a_record(home))
    assert read_record(home) == a_record(home)
    assert list(a_record(home).pids()) == [(5, "boot:0"), (7, "boot:1")]
    home.record_file.write_text('{"processes": {}, "unknown": 1}')
    assert read_record(home) is None


@pytest.mark.parametrize("text", ["0", "65536", "80x", "-1", "８０"])
def test_a_port_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_PORT", text)
    with pytest.raises(StackError, match="ANTIPHON_PORT must be a number from 1 to 65535"):
        gateway_port()


def test_the_port_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gateway_port() == 8080
    monkeypatch.setenv("ANTIPHON_PORT", "9090")
    assert gateway_port() == 9090


def test_a_problem_is_told_in_its_own_words() -> None:
    body = json.dumps({"title": "Invalid request", "detail": "text must not be empty", "code": "text_empty"}).encode()
    error = explain(422, body, "/v1/generations?x=1")
    assert isinstance(error, ApiError)
    assert str(error) == "Invalid request: text must not be empty [text_empty] (HTTP 422, /v1/generations)"
    assert (error.status, error.code) == (422, "text_empty")


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b"[1]", b"\xff"])
def test_an_answer_that_is_no_problem_document_is_told_too(body: bytes) -> None:
    assert "(HTTP 502, /v1/voices)" in str(explain(502, body, "/v1/voices"))


def test_a_command_finds_its_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    with pytest.raises(StackError, match="No stack is running"):
        connect(home)
    write_record(home, a_record(home))
    home.secrets.mkdir()
    (home.secrets / "api_key").write_text("ant_key")
    assert connect(home) == GatewayClient("http://127.0.0.1:80", "ant_key")
    monkeypatch.setenv("ANTIPHON_URL", "https://voice.example.com")
    with pytest.raises(StackError, match="ANTIPHON_API_KEY is not set"):
        connect(home)
    monkeypatch.setenv("ANTIPHON_API_KEY", "ant_other")
    assert connect(home) == GatewayClient("https://voice.example.com", "ant_other")
    monkeypatch.setenv("ANTIPHON_URL", "file:///etc/passwd")
    with pytest.raises(StackError, match="must begin with http"):
        connect(home)


class Library(GatewayClient):
    """A gateway whose library is known."""

    def get(self, path: str, query: Any = None) -> dict[str, Any]:  # Any: as the query of any request
        assert path == "/v1/voices"
        wanted = (query or {}).get("query", "").casefold()
        voices = [{"id": "1", "name": "Ada"}, {"id": "2", "name": "Adam"}, {"id": "3", "name": "Boris"}]
        return {"items": [voice for voice in voices if wanted in voice["name"].casefold()]}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, "1"),
        ("ada", "1"),
        ("bor", "3"),
        ("01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000001"),
    ],
)
def test_a_voice_goes_by_name_or_id(wanted: str | None, found: str) -> None:
    assert find_voice(Library("http://x", "key"), wanted) == found


@pytest.mark.parametrize(("wanted", "message"), [("ad", r"Several voices match 'ad': Ada \(1\)"), ("zoe", "No voice")])
def test_a_name_that_is_not_one_voices_is_refused(wanted: str, message: str) -> None:
    with pytest.raises(StackError, match=message):
        find_voice(Library("http://x", "key"), wanted)


def test_a_table_of_what_runs(tmp_path: Path) -> None:
    well = ProcessStatus("voice", 7, 80, "http://x", 61.0, 0, None)
    ill = ProcessStatus("gateway", 8, None, None, None, 3, "gateway ended, 3 times in a row. Its log:\n    boom")
    report = StackStatus(Home(tmp_path), "ready", "http://127.0.0.1:8080", [well, ill])
    lines = render(report).splitlines()
    assert lines[0] == "ready: http://127.0.0.1:8080"
    assert lines[3].split() == ["voice", "7", "80", "1", "min", "0", "yes"]
    assert lines[4].endswith("3         no: gateway ended, 3 times in a row. Its log:")
    assert lines[-1] == "    boom"
    assert not report.healthy
    assert StackStatus(report.home, "ready", None, [well]).healthy
    assert not StackStatus(report.home, "crashed", None, [well]).healthy


def test_a_stack_that_does_not_run_says_how_to_start_it(tmp_path: Path) -> None:
    assert render(StackStatus(Home(tmp_path), "stopped", None, [])).endswith("Start it: antiphon up")


def test_logs_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    with pytest.raises(StackError, match="There are no logs"):
        print_logs(home, None, 5)
    for name in ("voice", "nats"):
        with home.open_log(name) as log:
            log.write(f"{name} one\n{name} two\n".encode())
    print_logs(home, None, 1)
    print_logs(home, "voice", 1)
    assert capsys.readouterr().out == "      nats | nats two\n     voice | voice two\nvoice two\n"
    with pytest.raises(StackError, match=r"no log of 'vioce'\. There are: nats, voice"):
        print_logs(home, "vioce", 1)
