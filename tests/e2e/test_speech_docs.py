"""The commands of docs/speech.md, executed as they stand."""

from __future__ import annotations

from pathlib import Path

from libs.speech.encoding import parse_output_format
from libs.speech.text.ssml.elements import ELEMENTS
from tests.support.pages import page, run_commands
from tests.support.recordings import spoken_wav
from tests.support.stack import Stack
from tests.unit.speech.joined_audio import decode

PAGE = page("docs/speech.md")


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, PAGE, within=100)
    assert "problem" not in printed
    for file in ("hello.opus", "live.mp3", "book.mp3"):
        form = parse_output_format(file.partition(".")[2])
        assert len(decode(form, (tmp_path / file).read_bytes()).samples) > form.sample_rate
    assert (tmp_path / "hello.vtt").read_text().startswith("WEBVTT")
    assert '{"audio_base64":"' in printed


def test_the_commands_of_the_page_on_captions_work_as_written(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "recording.wav").write_bytes(spoken_wav(1))
    printed = run_commands(stack, tmp_path, page("docs/captions.md"), within=60)
    assert '"doubtful":false' in printed


def test_every_element_and_every_short_name_is_told() -> None:
    assert not [name for name in ELEMENTS if f"`{name}`" not in PAGE and f"`<{name}>`" not in PAGE]
    for name in ("mp3", "wav", "opus", "ogg", "flac", "aac", "pcm", "ulaw", "alaw"):
        assert f"`{parse_output_format(name).name}`" in PAGE
