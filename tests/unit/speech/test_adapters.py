"""The adapters' decisions: word times, WAV files, errors, arguments, settings."""

from __future__ import annotations

import array
import io
import wave
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.adapters.chatterbox import chatterbox_engine, generate_arguments
from libs.speech.adapters.host_process import place_of
from libs.speech.adapters.hosted_model import Order, matching_language
from libs.speech.adapters.openai_errors import failure_of
from libs.speech.adapters.openai_http import Server
from libs.speech.adapters.protocol import EngineBusy, EngineRefused, SpeechJob
from libs.speech.adapters.settings import EngineSettings, configured_engines
from libs.speech.adapters.wav import CutOff, NotWav, pcm_of_wav
from libs.speech.adapters.word_times import TimedPhoneme, word_times, words_of


def timed(phonemes: str) -> list[TimedPhoneme]:
    """One phoneme each tenth of a second."""
    return [TimedPhoneme(phoneme, index / 10) for index, phoneme in enumerate(phonemes)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world!", ["Hello", "world"]),
        ("«It's» $5.50 (50%)… -- !", ["It's", "$5.50", "50%"]),
        ("e\u0301te\u0301  नमस्ते", ["e\u0301te\u0301", "नमस्ते"]),
        ("... ", []),
    ],
    ids=["english", "signs", "marks", "none"],
)
def test_words_are_what_is_read(text: str, words: list[str]) -> None:
    assert [word.text for word in words_of(text)] == words
    assert all(text[word.position : word.position + word.length] == word.text for word in words_of(text))


def test_words_that_are_read_as_one_and_one_that_is_read_as_several_keep_their_times() -> None:
    words = words_of("of the 25 men")
    times = word_times(words, ["ʌv", "ðə", "twˈɛnti fˈaɪv", "mˈɛn"], timed("ʌvðə twˈɛnti fˈaɪv mˈɛn."))
    assert times is not None
    assert [time.start_seconds for time in times] == pytest.approx([0.0, 0.2, 0.5, 1.9])


def test_times_of_too_few_words_are_none() -> None:
    assert word_times(words_of("one two three"), ["a", "b", "c"], timed("axyz")) is None
    assert word_times(words_of("今天天气很好" * 8), ["a"], timed("a")) is None
    assert word_times([], [], timed("a")) is None


@given(st.text(max_size=60), st.text("abʌ ˈ", max_size=60), st.data())
def test_word_times_never_decrease_nor_leave_the_text(text: str, spoken: str, data: st.DataObject) -> None:
    words = words_of(text)
    alone = data.draw(st.lists(st.text("abʌ ˈ", max_size=6), min_size=len(words), max_size=len(words)))
    times = word_times(words, alone, timed(spoken)) or ()
    assert [time.start_seconds for time in times] == sorted(time.start_seconds for time in times)
    assert [time.position for time in times] == sorted({time.position for time in times})
    assert all(time.position + time.length <= len(text) for time in times)


def wav(pcm: bytes, *, channels: int = 1, width: int = 2, rate: int = 22_050) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, width, rate, 0, "NONE", ""))
        writer.writeframes(pcm)
    return file.getvalue()


def test_wav_files_are_read_whatever_their_header_leaves_open() -> None:
    pcm = array.array("h", [1, -2, 3, -4]).tobytes()
    whole = wav(pcm)
    assert pcm_of_wav(whole) == (pcm, 22_050)
    for unknown in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
        assert pcm_of_wav(whole[:40] + unknown + whole[44:] + b"\1") == (pcm, 22_050)
    assert pcm_of_wav(whole[:36] + b"LIST\3\0\0\0abc\0" + whole[36:]) == (pcm, 22_050)
    assert pcm_of_wav(wav(array.array("h", [2, 4, -6, -2]).tobytes(), channels=2))[0] == (
        array.array("h", [3, -4]).tobytes()
    )


def test_wav_files_that_cannot_be_used_are_refused() -> None:
    whole = wav(b"\1\2" * 100)
    for end in (3, 14, 30, 40, len(whole) - 1):
        with pytest.raises(CutOff):
            pcm_of_wav(whole[:end])
    for bad in (wav(b"\1" * 9, width=3), wav(b"\0\0", rate=1), b"OggS" + whole[4:], b"RIFF" + bytes(40)[:8] + b"data"):
        with pytest.raises((NotWav, CutOff)):
            pcm_of_wav(bad)


@given(st.binary(max_size=80))
def test_no_bytes_upset_the_wav_reader(data: bytes) -> None:
    for head in (b"", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\xbb\0\0\0\0\0\0\2\0\x10\0"):
        try:
            pcm, rate = pcm_of_wav(head + data)
        except (NotWav, CutOff):
            continue
        assert len(pcm) % 2 == 0
        assert rate > 0


def failure(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, secret: str = "") -> Exception:
    return failure_of(status, headers or {}, body, [secret])


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422])
def test_refusals_are_for_good(status: int) -> None:
    assert isinstance(failure(status), EngineRefused)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_overload_and_failures_are_for_now(status: int) -> None:
    assert isinstance(failure(status), EngineBusy)


def test_what_the_server_says_is_passed_on_in_either_form() -> None:
    assert str(failure(400, b'{"error": {"message": "no such\\n model"}}')).endswith("answered 400: no such model")
    assert str(failure(422, b'{"detail": [{"loc": ["voice"], "msg": "too short", "input": "x"}]}')).endswith(
        "too short"
    )
    assert str(failure(400, b'{"detail": "bad voice"}')).endswith("bad voice")
    assert str(failure(500, b"<html>Traceback</html>")) == "the speech server answered 500"
    assert len(str(failure(400, b'{"detail": "%s"}' % (b"x y " * 1000)))) < 300


@pytest.mark.parametrize(
    "message",
    ["cannot say 'Open the pod bay doors, HAL' now", "cannot say: Open the pod bay", "key=the pod bay doors"],
    ids=["all", "part", "inside"],
)
def test_nothing_of_the_text_comes_back_in_an_error(message: str) -> None:
    said = str(failure(400, b'{"detail": "%s"}' % message.encode(), secret="Open the  pod bay\ndoors, HAL"))
    assert "pod" not in said
    assert "…" in said


def test_retry_after_is_seconds_or_a_date_and_at_most_an_hour() -> None:
    def wait(value: str) -> float | None:
        busy = failure(429, headers={"Retry-After": value})
        assert isinstance(busy, EngineBusy)
        return busy.retry_after_seconds

    assert wait("7") == 7
    assert wait("86400") == 3600
    assert wait(format_datetime(datetime.now(UTC) + timedelta(seconds=60))) == pytest.approx(60, abs=10)
    assert wait(format_datetime(datetime.now(UTC) - timedelta(seconds=60))) == 0
    assert wait("") is None
    assert wait("soon") is None


def test_a_key_is_not_shown() -> None:
    assert "sk-1" not in repr(Server("http://speech", "tts-1", "sk-1"))


def test_an_error_is_told_without_its_message() -> None:
    try:
        raise ValueError("Open the pod bay doors")
    except ValueError as failure:
        told = place_of(failure)
    assert "ValueError" in told
    assert __file__ in told
    assert "Open the pod bay doors" not in told.replace('raise ValueError("Open the pod bay doors")', "")


@pytest.mark.parametrize(
    ("wanted", "found"), [("en-US", "us"), ("en_gb", "gb"), ("en-AU", "us"), ("EN", "us"), ("de-DE", None)]
)
def test_a_language_matches_by_its_tag_or_else_by_itself(wanted: str, found: str | None) -> None:
    assert matching_language(wanted, {"en": "us", "en-us": "us", "en-gb": "gb"}) == found


def order(**fields: Any) -> Order:  # fields of a TypedDict
    usual = Order(voice="", language="", speed=1.0, parameters={}, seed=None, reference=None)
    return {**usual, **fields}  # type: ignore[typeddict-item]  # as above


def test_chatterbox_gets_what_its_model_takes() -> None:
    wanted = {"temperature": 1, "top_k": 50.0, "top_p": 0.9, "repetition_penalty": 1.3, "cfg_weight": 0.4, "volume": 2}
    original = generate_arguments(order(parameters=wanted, reference="/r.wav"), turbo=False)
    assert original == {
        "temperature": 1.0, "top_p": 0.9, "repetition_penalty": 1.3, "cfg_weight": 0.4, "audio_prompt_path": "/r.wav"
    }  # fmt: skip
    turbo = generate_arguments(order(parameters=wanted), turbo=True)
    assert turbo == {"temperature": 1.0, "top_p": 0.9, "repetition_penalty": 1.3, "top_k": 50}
    assert isinstance(turbo["top_k"], int)


def test_chatterbox_honours_what_its_weights_honour(tmp_path: Path) -> None:
    assert chatterbox_engine(tmp_path).honours == {
        "temperature", "top_p", "repetition_penalty", "min_p", "exaggeration", "cfg_weight", "seed", "reference"
    }  # fmt: skip
    (tmp_path / "t3_turbo_v1.safetensors").touch()
    assert chatterbox_engine(tmp_path).model == "chatterbox-turbo"
    assert "top_k" in chatterbox_engine(tmp_path).honours


def test_speeds_out_of_bounds_are_no_job() -> None:
    with pytest.raises(ValueError, match=r"0\.25"):
        SpeechJob("a", speed=0.1)


def test_nothing_is_configured_by_default() -> None:
    assert configured_engines(EngineSettings()) == []


def test_every_engine_can_be_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_text("sk-1\n")
    for name, value in {
        "OPENAI_SPEECH_URL": "http://localhost:1/v1",
        "OPENAI_SPEECH_KEY_FILE": str(key),
        "OPENAI_SPEECH_MODEL": "speech-2",
        "OPENAI_SPEECH_EXTRAS": "temperature, seed",
        "PIPER_MODEL": "/voices/en.onnx,/voices/de.onnx",
        "KOKORO_MODEL": "/kokoro.onnx",
        "KOKORO_VOICES": "/voices.bin",
        "CHATTERBOX_DIR": "/chatterbox",
        "CHATTERBOX_PYTHON": "/venv/bin/python",
    }.items():
        monkeypatch.setenv(f"ANTIPHON_{name}", value)
    engines = configured_engines(EngineSettings())
    assert [(engine.name, engine.model, engine.ready) for engine in engines] == [
        ("openai", "speech-2", False),
        ("piper", "en", False),
        ("piper", "de", False),
        ("kokoro", "kokoro", False),
        ("chatterbox", "chatterbox", False),
    ]
    assert engines[0].honours == {"speed", "temperature", "seed"}


def test_half_of_kokoro_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_KOKORO_MODEL", "/kokoro.onnx")
    with pytest.raises(ValueError, match="ANTIPHON_KOKORO_VOICES"):
        EngineSettings()
