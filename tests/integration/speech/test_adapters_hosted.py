"""Piper and Kokoro on tiny models, each in processes of its own; Chatterbox as far as it goes without its package."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import venv
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from libs.speech.adapters.chatterbox import chatterbox_engine
from libs.speech.adapters.host import HostedEngine, Hosting
from libs.speech.adapters.kokoro import kokoro_engine
from libs.speech.adapters.piper import piper_engine
from libs.speech.adapters.protocol import SpeechJob, UnsupportedLanguage
from libs.speech.engine import EngineCrashed, EngineTimeout, EngineUnavailable, UnknownEngineVoice
from tests.integration.speech.engine_models import (
    HOP,
    PIPER_RATE,
    piper_durations,
    write_kokoro,
    write_kokoro_voices,
    write_piper,
)
from tests.integration.speech.engine_suite import EngineSuite, check
from tests.support.polling import eventually

TEXT = "Dr. Smith paid $25.50 to us, and one of the 12 men left."
WORDS = ["Dr", "Smith", "paid", "$25.50", "to", "us", "and", "one", "of", "the", "12", "men", "left"]


@dataclass
class HostedBench:
    """Holds jobs by stopping the processes that would do them."""

    engine: HostedEngine
    job: SpeechJob
    differently: Mapping[str, SpeechJob]
    ignored: Mapping[str, float] = field(default_factory=lambda: {"top_k": 5, "repetition_penalty": 1.7})
    held: frozenset[int] = frozenset()

    async def hold(self) -> None:
        async def complete() -> bool:
            return len(self.engine.process_ids) == self.engine._hosting.processes

        await eventually(complete, what="all processes")
        self.held = self.engine.process_ids
        for pid in self.held:
            os.kill(pid, signal.SIGSTOP)

    def release(self) -> None:
        for pid in self.held:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.held = frozenset()

    def break_down(self) -> None:
        for pid in self._working():
            os.kill(pid, signal.SIGKILL)

    async def working(self) -> bool:
        return bool(self._working())

    def _working(self) -> list[int]:
        busy = {process.pid for process in self.engine._living if process.busy}
        return [pid for pid in self.held & busy if is_there(pid)]


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


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


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def resident_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


@contextmanager
def nothing_left(engine: HostedEngine) -> Iterator[None]:
    yield
    assert engine.process_ids == frozenset()


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


async def test_a_process_that_hangs_is_ended(tmp_path: Path) -> None:
    engine = piper_engine(write_piper(tmp_path / "voice.onnx"), Hosting(timeout_seconds=0.5))
    await engine.start()
    hung = engine.process_ids
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineTimeout):
        await engine.speak(SpeechJob(TEXT))
    check(SpeechJob(TEXT), await engine.speak(SpeechJob(TEXT)))
    assert not hung & engine.process_ids
    await engine.close()


async def test_a_process_that_grows_is_ended_and_says_so(tmp_path: Path) -> None:
    engine = piper_engine(write_piper(tmp_path / "voice.onnx"), Hosting(memory_mb=256))
    await engine.start()
    # The tiny model compares every frame with every phoneme, so that a long sentence takes hundreds of megabytes.
    with pytest.raises(EngineCrashed, match="more than its 256 MiB"):
        await engine.speak(SpeechJob("a b c d e f g " * 150))
    check(SpeechJob(TEXT), await engine.speak(SpeechJob(TEXT)))
    await engine.close()


async def test_a_process_that_has_become_large_is_replaced_between_two_jobs(tmp_path: Path) -> None:
    roomy = piper_engine(write_piper(tmp_path / "voice.onnx"))
    await roomy.start()
    check(SpeechJob(TEXT), await roomy.speak(SpeechJob(TEXT)))
    usual = max(map(resident_mb, roomy.process_ids))
    await roomy.close()
    engine = piper_engine(tmp_path / "voice.onnx", Hosting(memory_mb=usual + usual // 8))
    await engine.start()
    first = engine.process_ids
    check(SpeechJob(TEXT), await engine.speak(SpeechJob(TEXT)))
    check(SpeechJob(TEXT), await engine.speak(SpeechJob(TEXT)))
    assert not first & engine.process_ids
    await engine.close()


async def test_a_process_that_closes_its_pipes_but_stays_is_ended(tmp_path: Path) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\n{sys.executable} "$@"\nexec 0<&- 1>&-\nexec sleep 60\n')
    interpreter.chmod(0o755)
    engine = piper_engine(write_piper(tmp_path / "voice.onnx"), Hosting(python=interpreter))
    await engine.start()
    first = engine.process_ids
    for pid in first:
        os.kill(child_of(pid), signal.SIGKILL)

    async def replaced() -> bool:
        return engine.ready and bool(engine.process_ids) and not engine.process_ids & first

    await eventually(replaced, within=20, what="another process")
    check(SpeechJob(TEXT), await engine.speak(SpeechJob(TEXT)))
    await engine.close()


async def test_the_process_of_a_model_gets_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_DATABASE_PASSWORD_FILE", "/run/secrets/database")
    engine = piper_engine(write_piper(tmp_path / "voice.onnx"))
    await engine.start()
    for pid in engine.process_ids:
        environment = environment_of(pid)
        assert b"ANTIPHON" not in environment
        assert b"HF_HUB_OFFLINE=1" in environment
    await engine.close()


async def test_another_interpreter_gets_our_code_and_none_of_our_packages(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    hosting = Hosting(python=tmp_path / "bare/bin/python")
    engine = piper_engine(write_piper(tmp_path / "voice.onnx"), hosting)
    with nothing_left(engine), pytest.raises(EngineUnavailable, match="package 'piper' is not installed: pip install"):
        await engine.start()


async def test_a_closed_engine_that_starts_again_owes_nothing_to_those_who_waited(tmp_path: Path) -> None:
    engine = piper_engine(write_piper(tmp_path / "voice.onnx"))
    await engine.start()
    bench = HostedBench(engine, SpeechJob(TEXT), {})
    await bench.hold()
    waiting = [asyncio.create_task(engine.speak(SpeechJob(TEXT))) for _ in range(5)]
    await eventually(bench.working, what="the work")
    closing = asyncio.create_task(engine.close())
    await asyncio.wait({closing}, timeout=0)  # it has begun, and nobody has heard of it yet
    await engine.start()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {EngineUnavailable}
    await asyncio.wait_for(asyncio.gather(closing, engine.speak(SpeechJob(TEXT)), engine.speak(SpeechJob(TEXT))), 10)
    await engine.close()


async def test_a_process_that_dies_idle_is_replaced(tmp_path: Path) -> None:
    engine = piper_engine(write_piper(tmp_path / "voice.onnx"))
    await engine.start()
    first = engine.process_ids
    for pid in first:
        os.kill(pid, signal.SIGKILL)

    async def replaced() -> bool:
        return engine.ready and bool(engine.process_ids) and not engine.process_ids & first

    await eventually(replaced, what="another process")
    check(SpeechJob(TEXT), await engine.speak(SpeechJob(TEXT)))
    await engine.close()


async def test_what_is_missing_is_said_at_the_start_and_leaves_nothing_behind(tmp_path: Path) -> None:
    model = write_kokoro(tmp_path / "kokoro.onnx", durations=False)
    chinese = write_piper(tmp_path / "zh.onnx")
    (tmp_path / "zh.onnx.json").write_text('{"phoneme_type": "pinyin"}')
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    (tmp_path / "broken.onnx.json").write_text("{}")
    for engine, problem in (
        (piper_engine(chinese), "reader of Chinese .g2pW. not found"),
        (piper_engine(tmp_path / "none.onnx"), "Piper's model file not found: .*none.onnx; check ANTIPHON_PIPER_MODEL"),
        (piper_engine(tmp_path / "broken.onnx"), "Piper cannot load .*broken.onnx"),
        (
            kokoro_engine(model, tmp_path / "none.bin"),
            "voices file not found: .*none.bin; check ANTIPHON_KOKORO_VOICES",
        ),
        (chatterbox_engine(tmp_path / "none"), "directory not found: .*none; check ANTIPHON_CHATTERBOX_DIR"),
        (chatterbox_engine(tmp_path), "'chatterbox' is not installed: .*ANTIPHON_CHATTERBOX_PYTHON"),
        (piper_engine(model, Hosting(python=tmp_path / "python")), "cannot be started"),
    ):
        with nothing_left(engine), pytest.raises(EngineUnavailable, match=problem):
            await engine.start()
        assert not engine.ready
        assert engine.problem
        with pytest.raises(EngineUnavailable, match=problem):
            await engine.speak(SpeechJob(TEXT))


async def test_an_engine_whose_model_came_late_starts_then(tmp_path: Path) -> None:
    engine = piper_engine(tmp_path / "late.onnx")
    with pytest.raises(EngineUnavailable):
        await engine.start()
    write_piper(tmp_path / "late.onnx")
    await engine.start()
    check(SpeechJob(TEXT), await engine.speak(SpeechJob(TEXT)))
    await engine.close()


async def test_an_engine_prints_nothing_of_what_it_speaks(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = piper_engine(write_piper(tmp_path / "voice.onnx", text_phonemes=True))
    await engine.start()
    capfd.readouterr()
    await engine.speak(SpeechJob("Sésame"))  # Piper logs a warning for each sound that the model does not know
    await engine.close()
    assert capfd.readouterr() == ("", "")


async def test_cancelling_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    engine = piper_engine(write_piper(tmp_path / "voice.onnx"))
    with nothing_left(engine):
        task = asyncio.create_task(engine.start())
        await asyncio.wait({task}, timeout=0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
