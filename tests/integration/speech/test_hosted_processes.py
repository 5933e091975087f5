"""The processes of a model: what ends them, what replaces them, and what they are given."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from libs.speech.adapters.chatterbox import chatterbox_engine
from libs.speech.adapters.host import HostedEngine, Hosting
from libs.speech.adapters.kokoro import kokoro_engine
from libs.speech.adapters.piper import piper_engine
from libs.speech.adapters.protocol import SpeechJob
from libs.speech.engine import EngineCrashed, EngineTimeout, EngineUnavailable
from tests.integration.speech.child_processes import child_of, environment_of, resident_mb
from tests.integration.speech.engine_models import (
    write_kokoro,
    write_piper,
)
from tests.integration.speech.engine_suite import check
from tests.integration.speech.hosted_bench import HostedBench
from tests.support.polling import eventually

TEXT = "Dr. Smith paid $25.50 to us, and one of the 12 men left."


@contextmanager
def nothing_left(engine: HostedEngine) -> Iterator[None]:
    yield
    assert engine.process_ids == frozenset()


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
