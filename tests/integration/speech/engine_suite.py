"""What holds for every engine that delivers PCM, whatever is behind it."""

from __future__ import annotations

import array
import asyncio
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import pytest

from libs.speech.adapters.protocol import PcmEngine, Speech, SpeechJob
from libs.speech.engine import EngineUnavailable, TextNotSpeakable, TransientSpeechError
from tests.support.polling import eventually


class Bench(Protocol):
    """A started engine, and a hand on what does its work."""

    engine: PcmEngine
    job: SpeechJob
    """Gives the same PCM every time."""
    differently: Mapping[str, SpeechJob]
    """For every parameter that the engine honours, a job with another value of it."""
    ignored: Mapping[str, float]
    """Parameters that the engine does not honour."""

    async def hold(self) -> None:
        """From now on jobs are taken up but not finished."""

    def release(self) -> None:
        """Jobs are finished again, also those that were held, if they are still worked on."""

    def break_down(self) -> None:
        """What works on the jobs dies."""

    async def working(self) -> bool:
        """Whether something works on a held job."""


def check(job: SpeechJob, speech: Speech) -> None:
    assert len(speech.pcm) % 2 == 0
    assert 8_000 <= speech.sample_rate <= 48_000
    seconds = len(speech.pcm) / 2 / speech.sample_rate
    assert seconds >= 0.2
    if speech.words is not None:
        assert all(before.start_seconds <= after.start_seconds for before, after in pairwise(speech.words))
        assert all(before.position + before.length <= after.position for before, after in pairwise(speech.words))
        assert all(0 <= word.start_seconds <= seconds for word in speech.words)
        assert all(job.text[word.position : word.position + word.length].strip() for word in speech.words)


def loudest(speech: Speech) -> int:
    return max(map(abs, array.array("h", speech.pcm)))


@pytest.mark.asyncio(loop_scope="session")
class EngineSuite:
    """Subclasses have a fixture `bench` made on the session's loop; every test leaves its engine started."""

    async def test_it_speaks(self, bench: Bench) -> None:
        assert bench.engine.ready
        assert bench.engine.problem == ""
        speech = await bench.engine.speak(bench.job)
        check(bench.job, speech)
        assert loudest(speech) > 1_000
        assert (await bench.engine.speak(bench.job)).pcm == speech.pcm

    async def test_its_voices_speak(self, bench: Bench) -> None:
        voices = bench.engine.voices()
        assert voices
        for voice in voices[:3]:
            job = replace(bench.job, voice=voice.name, language=voice.language or "")
            check(job, await bench.engine.speak(job))

    async def test_what_it_honours_changes_the_speech_and_is_reported(self, bench: Bench) -> None:
        assert set(bench.differently) == bench.engine.honours
        usual = await bench.engine.speak(bench.job)
        for name, job in bench.differently.items():
            speech = await bench.engine.speak(job)
            check(job, speech)
            assert speech.pcm != usual.pcm, name
            assert name in speech.applied

    async def test_what_it_does_not_honour_changes_nothing_and_is_not_reported(self, bench: Bench) -> None:
        assert not set(bench.ignored) & bench.engine.honours
        with_more = replace(bench.job, parameters={**bench.job.parameters, **bench.ignored})
        speech = await bench.engine.speak(with_more)
        assert speech.pcm == (await bench.engine.speak(bench.job)).pcm
        assert not set(bench.ignored) & set(speech.applied)

    async def test_faster_is_shorter(self, bench: Bench) -> None:
        slow, fast = [await bench.engine.speak(replace(bench.job, speed=speed)) for speed in (0.8, 1.6)]
        assert len(fast.pcm) < 0.7 * len(slow.pcm)
        assert (slow.applied["speed"], fast.applied["speed"]) == (0.8, 1.6)

    async def test_what_is_no_text_or_too_much_is_refused_for_good(self, bench: Bench) -> None:
        for text in ("", "a\0b", "\ud800"):
            with pytest.raises(TextNotSpeakable):
                await bench.engine.speak(replace(bench.job, text=text))
        with pytest.raises(TextNotSpeakable, match="split it"):
            await bench.engine.speak(replace(bench.job, text="a" * (bench.engine.longest_text + 1)))

    async def test_what_has_no_sound_becomes_silence_and_odd_text_is_spoken(self, bench: Bench) -> None:
        for text in ("!!! ... ???", "   \n ", "a\x01b\x1bc", "A.B.C." * 100, "[[ not phonemes ]]", "👩‍👧 ok"):
            job = replace(bench.job, text=text)
            check(job, await bench.engine.speak(job))

    async def test_jobs_at_once_do_not_mix(self, bench: Bench) -> None:
        jobs = [replace(bench.job, text=f"Number {number}. " * (1 + number % 3)) for number in range(12)]
        alone = [await bench.engine.speak(job) for job in jobs]
        assert [speech.pcm for speech in await asyncio.gather(*map(bench.engine.speak, jobs))] == [
            speech.pcm for speech in alone
        ]

    async def test_cancelling_stops_the_work_and_the_next_job_is_done(self, bench: Bench) -> None:
        await bench.hold()
        task = asyncio.create_task(bench.engine.speak(bench.job))
        await eventually(bench.working, what="the work")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async def stopped() -> bool:
            return not await bench.working()

        await eventually(stopped, within=1.0, what="the end of the work")
        bench.release()
        check(bench.job, await bench.engine.speak(bench.job))

    async def test_what_dies_fails_its_job_for_now_and_the_next_one_is_done(self, bench: Bench) -> None:
        await bench.hold()
        task = asyncio.create_task(bench.engine.speak(bench.job))
        await eventually(bench.working, what="the work")
        bench.break_down()
        with pytest.raises(TransientSpeechError):
            await task
        bench.release()
        check(bench.job, await bench.engine.speak(bench.job))

    async def test_closing_fails_what_runs_and_what_waits_and_it_can_be_started_again(self, bench: Bench) -> None:
        await bench.hold()
        tasks = [asyncio.create_task(bench.engine.speak(bench.job)) for _ in range(12)]
        await eventually(bench.working, what="the work")
        await bench.engine.close()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert {type(result) for result in results} == {EngineUnavailable}
        assert not bench.engine.ready
        with pytest.raises(EngineUnavailable):
            await bench.engine.speak(bench.job)
        bench.release()
        await bench.engine.start()
        check(bench.job, await bench.engine.speak(bench.job))
