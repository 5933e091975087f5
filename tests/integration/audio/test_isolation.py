"""A file that is lost takes nothing with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from libs.audio.intake import DecodingFailed, DecodingTooLong, Intake, IntakeUnavailable, Limits
from tests.integration.audio.recordings import Samples, flac_of_silence, wav
from tests.support.polling import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _working_fork(pool: Intake) -> psutil.Process:
    """The fork that decodes at the moment."""
    found: list[psutil.Process] = []

    async def look() -> bool:
        found[:] = [child for pid in pool.process_ids for child in psutil.Process(pid).children()]
        return bool(found)

    await eventually(look)
    return found[0]


ENDLESS = Limits(audio_seconds=36_000, wall_seconds=60, cpu_seconds=60, memory_bytes=4 * 2**30)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT], ids=lambda number: number.name)
async def test_a_crash_loses_only_its_file(spoken: tuple[Samples, int], number: signal.Signals) -> None:
    pool = Intake(1)
    try:
        doomed = asyncio.create_task(pool.examine(flac_of_silence(hours=4), limits=ENDLESS))
        waiting = asyncio.create_task(pool.examine(wav(*spoken)))
        (await _working_fork(pool)).send_signal(number)
        with pytest.raises(DecodingFailed):
            await doomed
        assert (await waiting).report.speech_seconds > 10
    finally:
        await pool.close()


async def test_a_process_that_hangs_is_ended_from_outside(spoken: tuple[Samples, int]) -> None:
    pool = Intake(1)
    try:
        hanging = asyncio.create_task(pool.examine(flac_of_silence(hours=4), limits=Limits(wall_seconds=0.5)))
        fork = await _working_fork(pool)
        fork.suspend()
        with pytest.raises(DecodingTooLong):
            await hanging
        await _ended(fork)
        assert (await pool.examine(wav(*spoken))).pcm
    finally:
        await pool.close()


async def test_cancelling_ends_the_work(spoken: tuple[Samples, int]) -> None:
    pool = Intake(1)
    try:
        cancelled = asyncio.create_task(pool.examine(flac_of_silence(hours=4), limits=ENDLESS))
        fork = await _working_fork(pool)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(cancelled, 10)
        await _ended(fork)
        assert (await pool.examine(wav(*spoken))).pcm
    finally:
        await pool.close()


async def test_closing_ends_everything(spoken: tuple[Samples, int]) -> None:
    pool = Intake(2)
    await pool.examine(wav(*spoken))
    running = asyncio.create_task(pool.examine(flac_of_silence(hours=4), limits=ENDLESS))
    fork = await _working_fork(pool)
    processes = pool.process_ids
    await asyncio.wait_for(pool.close(), 10)
    with pytest.raises(DecodingFailed):
        await asyncio.wait_for(running, 10)
    await _ended(fork)
    assert not any(psutil.pid_exists(pid) for pid in processes)
    assert pool.process_ids == frozenset()


async def test_what_waits_when_the_intake_closes_is_told(spoken: tuple[Samples, int]) -> None:
    pool = Intake(1)
    running = asyncio.create_task(pool.examine(flac_of_silence(hours=4), limits=ENDLESS))
    waiting = asyncio.create_task(pool.examine(wav(*spoken)))
    await _working_fork(pool)
    await pool.close()
    with pytest.raises(DecodingFailed):
        await asyncio.wait_for(running, 10)
    with pytest.raises(IntakeUnavailable):
        await asyncio.wait_for(waiting, 10)
    assert pool.process_ids == frozenset()


async def test_a_process_that_ends_between_two_files_is_replaced(spoken: tuple[Samples, int]) -> None:
    pool = Intake(1)
    try:
        content = wav(*spoken)
        await pool.examine(content)
        [pid] = pool.process_ids
        os.kill(pid, signal.SIGKILL)

        async def noticed() -> bool:
            return not pool.process_ids

        await eventually(noticed)
        assert (await pool.examine(content)).pcm
        assert pid not in pool.process_ids
    finally:
        await pool.close()


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"], ids=["ends", "missing"])
async def test_without_a_decoder_no_file_is_blamed(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program)
    pool = Intake(1)
    with pytest.raises(IntakeUnavailable):
        await pool.examine(b"RIFF")
    assert pool.process_ids == frozenset()


async def test_no_more_processes_than_wanted(spoken: tuple[Samples, int]) -> None:
    pool = Intake(2)
    try:
        content = wav(*spoken)
        await asyncio.gather(*(pool.examine(content) for _ in range(8)))
        assert len(pool.process_ids) == 2
    finally:
        await pool.close()


async def test_the_decoding_process_has_one_thread_and_no_secrets(
    intake: Intake, spoken: tuple[Samples, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_DATABASE_PASSWORD", "secret")
    pool = Intake(1)
    try:
        await pool.examine(wav(*spoken))
        [pid] = pool.process_ids
        process = psutil.Process(pid)
        assert process.num_threads() == 1  # it forks
        assert "ANTIPHON_DATABASE_PASSWORD" not in process.environ()
        opened = [Path(file.path) for file in process.open_files()]
        assert not any("onnxruntime" in path.name for path in opened)  # its telemetry
    finally:
        await pool.close()


async def test_nothing_is_left_when_the_parent_dies(tmp_path: Path) -> None:
    content = tmp_path / "bomb"
    content.write_bytes(flac_of_silence(hours=4))
    code = (
        "import asyncio, pathlib, sys\n"
        "from libs.audio.intake import Intake, Limits\n"
        "limits = Limits(audio_seconds=36000, wall_seconds=3, cpu_seconds=60, memory_bytes=4 << 30)\n"
        "asyncio.run(Intake(1).examine(pathlib.Path(sys.argv[1]).read_bytes(), limits=limits))\n"
    )
    parent = psutil.Popen((sys.executable, "-c", code, str(content)), stderr=subprocess.DEVNULL)
    family: list[psutil.Process] = []

    async def both() -> bool:
        family[:] = parent.children(recursive=True)
        return len(family) == 2

    await eventually(both)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    for process in family:
        await _ended(process)


async def _ended(process: psutil.Process) -> None:
    async def gone() -> bool:
        return not _alive(process)

    await eventually(gone)


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
