"""Piper and Kokoro on tiny models, each in processes of its own; Chatterbox as far as it goes without its package."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from libs.speech.adapters.host import HostedEngine, Hosting
from libs.speech.adapters.kokoro import kokoro_engine
from libs.speech.adapters.piper import piper_engine
from libs.speech.adapters.protocol import SpeechJob, UnsupportedLanguage
from libs.speech.engine import UnknownEngineVoice
from tests.integration.speech.engine_models import (
    HOP,
    PIPER_RATE,
    piper_durations,
    write_kokoro,
    write_kokoro_voices,
    write_piper,
)
from tests.integration.speech.engine_suite import EngineSuite, check
from tests.integration.speech.hosted_bench import HostedBench

TEXT = "Dr. Smith paid $25.50 to us, and one of the 12 men left."
WORDS = ["Dr", "Smith", "paid", "$25.50", "to", "us", "and", "one", "of", "the", "12", "men", "left"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def piper_bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostedBench]:
    engine = piper_engine(write_piper(tmp_path_factory.mktemp("piper") / "en_US-tiny.onnx"))
    await engine.start()
    differently = {
        "speed": SpeechJob(TEXT, speed=1.5),
        "temperature": SpeechJob(TEXT, parameters={"temperature": 0.9}),
    }
    yield HostedBench(engine, SpeechJob(TEXT), differently)
    await engine.close()


class TestPiper(EngineSuite):
    @pytest.fixture
    def bench(self, piper_bench: HostedBench) -> HostedBench:
        return piper_bench


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kokoro_bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostedBench]:
    folder = tmp_path_factory.mktemp("kokoro")
    model = write_kokoro(folder / "kokoro.onnx", durations=False)
    engine = kokoro_engine(
        model, write_kokoro_voices(folder / "voices.bin", ["af_a", "bm_b"]), Hosting(2, timeout_seconds=10)
    )
    await engine.start()
    yield HostedBench(engine, SpeechJob(TEXT), {"speed": SpeechJob(TEXT, speed=1.5)})
    await engine.close()


class TestKokoro(EngineSuite):
    @pytest.fixture
    def bench(self, kokoro_bench: HostedBench) -> HostedBench:
        return kokoro_bench


async def spoken_words(engine: HostedEngine, text: str) -> dict[str, float]:
    await engine.start()
    try:
        job = SpeechJob(text)
        speech = await engine.speak(job)
        check(job, speech)
        assert speech.words is not None
        return {text[word.position : word.position + word.length]: word.start_seconds for word in speech.words}
    finally:
        await engine.close()


async def test_piper_says_when_each_word_begins(tmp_path: Path) -> None:
    times = await spoken_words(piper_engine(write_piper(tmp_path / "voice.onnx")), TEXT)
    assert list(times) == WORDS


async def test_no_text_is_taken_for_pipers_phonemes(tmp_path: Path) -> None:
    times = await spoken_words(piper_engine(write_piper(tmp_path / "voice.onnx")), "see [[one two]] now")
    assert list(times) == ["see", "one", "two", "now"]


async def test_pipers_word_times_are_those_of_its_model(tmp_path: Path) -> None:
    text = "one two, seven! ten"
    times = await spoken_words(piper_engine(write_piper(tmp_path / "voice.onnx", text_phonemes=True)), text)
    durations = piper_durations()
    at = durations[1] + durations[0]  # the beginning and the pad after it
    begins = []
    for character in text:
        begins.append(at)
        at += durations[ord(character)] + durations[0]
    expected = {word: begins[text.index(word)] * HOP / PIPER_RATE for word in ("one", "two", "seven", "ten")}
    assert times == pytest.approx(expected)


async def test_kokoro_says_when_each_word_begins_if_its_model_reports_durations(tmp_path: Path) -> None:
    model = write_kokoro(tmp_path / "kokoro.onnx", durations=True)
    times = await spoken_words(kokoro_engine(model, write_kokoro_voices(tmp_path / "voices.bin", ["af_a"])), TEXT)
    assert list(times) == WORDS


async def test_pipers_speakers_are_voices_that_sound_different(tmp_path: Path) -> None:
    engine = piper_engine(write_piper(tmp_path / "voice.onnx", speakers={"ann": 0, "bob": 1}))
    await engine.start()
    assert [voice.name for voice in engine.voices()] == ["ann", "bob"]
    with pytest.raises(UnknownEngineVoice, match="ann, bob"):
        await engine.speak(SpeechJob(TEXT, voice="carl"))
    with pytest.raises(UnsupportedLanguage, match="speaks en-US"):
        await engine.speak(SpeechJob(TEXT, language="de-DE"))
    check(SpeechJob(TEXT), await engine.speak(SpeechJob(TEXT, voice="bob", language="en")))
    await engine.close()


async def test_kokoro_refuses_what_it_cannot_read_and_keeps_to_its_speeds(tmp_path: Path) -> None:
    voices = write_kokoro_voices(tmp_path / "voices.bin", ["af_a", "bm_b", "zf_c"])
    engine = kokoro_engine(write_kokoro(tmp_path / "kokoro.onnx", durations=False), voices)
    await engine.start()
    assert engine.languages == frozenset({"en-US", "en-GB"})
    with pytest.raises(UnknownEngineVoice):
        await engine.speak(SpeechJob(TEXT, voice="zf_c"))
    with pytest.raises(UnsupportedLanguage):
        await engine.speak(SpeechJob(TEXT, language="th"))
    american, british = [await engine.speak(SpeechJob(TEXT, voice=voice)) for voice in ("af_a", "bm_b")]
    assert american.pcm != british.pcm
    assert (await engine.speak(SpeechJob(TEXT, speed=4.0))).applied == {"speed": 2.0}
    await engine.close()
