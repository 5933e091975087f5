"""eSpeak NG in its pool of processes."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import wave
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.engine import (
    AudioFormat,
    EngineCrashed,
    EngineTimeout,
    EngineUnavailable,
    Rendered,
    RenderJob,
    TextNotSpeakable,
    UnknownEngineVoice,
    VoiceProfile,
)
from libs.speech.espeak import LONGEST_TEXT, EspeakEngine
from tests.support.polling import eventually

ENGLISH = VoiceProfile("gmw/en-US", "en-US")
TEXTS = {
    "en-US": "Dr. Smith paid $25.50 on 12/05/2024, at 3:45 pm.",
    "de-DE": "Schöne Grüße aus München, es sind 25 Grad.",
    "es-ES": "¿Dónde está la biblioteca, señor?",
    "fr-FR": "L'été dernier, nous étions à Paris.",
    "cmn-CN": "今天天气很好,我们去公园吧。",
    "ar": "مرحبا بالعالم، كيف حالك؟",
    "ja": "今日は良い天気です。カタカナ",
    "hi": "नमस्ते दुनिया, आज मौसम अच्छा है।",
    "ru": "Привет, мир! Сегодня 25 градусов.",
    "th": "สวัสดีชาวโลก",
    "emoji": "Hi 👩‍👧 there 😀😀!",
    "combining": "e\u0301te\u0301 and n\u0303",
    "punctuation": "!!! ... ???",
    "white": "   \n\t ",
    "markup": "<b>not markup</b> & a < b",
    "dotted": "A.B.C." * 200,
    "token": "x" * 3000,
    "command": "a\x01b\x1bc",
}


@pytest.fixture
async def engine() -> AsyncIterator[EspeakEngine]:
    started = EspeakEngine(2)
    await started.start()
    yield started
    await started.close()


def job(text: str, voice: VoiceProfile = ENGLISH, audio_format: AudioFormat = AudioFormat.WAV) -> RenderJob:
    return RenderJob(text, voice, audio_format)


def check(text: str, rendered: Rendered) -> None:
    alignment = rendered.alignment
    assert alignment.characters == tuple(text)
    assert len(alignment.start_times) == len(alignment.end_times) == len(text)
    assert all(start <= end for start, end in zip(alignment.start_times, alignment.end_times, strict=True))
    assert all(before <= after for before, after in pairwise(alignment.start_times))
    assert alignment.end_times[-1] <= rendered.duration_seconds
    assert rendered.duration_seconds > 0


@pytest.mark.parametrize("name", TEXTS)
async def test_any_text_is_spoken_and_aligned(engine: EspeakEngine, name: str) -> None:
    text = TEXTS[name]
    language = name if "-" in name or len(name) == 2 else "en-US"
    rendered = await engine.render(job(text, VoiceProfile(language.partition("-")[0], language)))
    check(text, rendered)
    with wave.open(io.BytesIO(rendered.audio)) as reader:
        assert reader.getnframes() / reader.getframerate() == pytest.approx(rendered.duration_seconds)


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "x" * (LONGEST_TEXT + 1)])
async def test_what_is_no_text_is_refused_for_good(engine: EspeakEngine, text: str) -> None:
    with pytest.raises(TextNotSpeakable):
        await engine.render(job(text))


async def test_an_unknown_voice_is_refused_for_good(engine: EspeakEngine) -> None:
    with pytest.raises(UnknownEngineVoice):
        await engine.render(job("Hello", VoiceProfile("definitely", "xx")))
    with pytest.raises(UnknownEngineVoice):
        await engine.render(job("Hello", VoiceProfile("gmw/en-US", "en-US", variant="nobody")))


async def test_every_system_voice_speaks_its_preview_and_sounds_different(engine: EspeakEngine) -> None:
    previews = await asyncio.gather(
        *(engine.render(job(voice.preview_text, voice.profile, AudioFormat.MP3)) for voice in SYSTEM_VOICES)
    )
    for voice, preview in zip(SYSTEM_VOICES, previews, strict=True):
        check(voice.preview_text, preview)
        assert preview.duration_seconds > 1
    same = await asyncio.gather(*(engine.render(job("One two three.", voice.profile)) for voice in SYSTEM_VOICES))
    assert len({rendered.audio for rendered in same}) == len(SYSTEM_VOICES)


async def test_two_hundred_jobs_at_once_are_all_spoken(engine: EspeakEngine) -> None:
    texts = [f"Job number {number}." for number in range(200)]
    for text, rendered in zip(texts, await asyncio.gather(*(engine.render(job(text)) for text in texts)), strict=True):
        check(text, rendered)


LONG = ("The quick brown fox jumps over the lazy dog. " * 120)[:LONGEST_TEXT]


async def test_the_death_of_a_process_fails_only_its_job(engine: EspeakEngine) -> None:
    running = [asyncio.create_task(engine.render(job(LONG, audio_format=AudioFormat.MP3))) for _ in range(2)]
    await asyncio.wait(running, timeout=0.02)
    os.kill(next(iter(engine.process_ids)), signal.SIGKILL)
    results = await asyncio.gather(*running, return_exceptions=True)
    assert [type(result) for result in results if isinstance(result, BaseException)] == [EngineCrashed]
    check("After that.", await engine.render(job("After that.")))


async def test_a_job_that_takes_too_long_is_ended_and_the_next_one_works() -> None:
    engine = EspeakEngine(1, timeout_seconds=0.05)
    await engine.start()
    with pytest.raises(EngineTimeout):
        await engine.render(job(LONG, audio_format=AudioFormat.MP3))
    check("Hi.", await engine.render(job("Hi.")))
    await engine.close()


async def test_a_cancelled_job_leaves_a_pool_that_works(engine: EspeakEngine) -> None:
    task = asyncio.create_task(engine.render(job(LONG, audio_format=AudioFormat.MP3)))
    await asyncio.wait({task}, timeout=0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    check("Still here.", await engine.render(job("Still here.")))


async def test_processes_are_replaced_after_their_share_of_jobs() -> None:
    engine = EspeakEngine(1, recycle_after=3)
    await engine.start()
    first = engine.process_ids
    for number in range(4):
        check(f"Number {number}.", await engine.render(job(f"Number {number}.")))

    async def replaced() -> bool:
        return bool(engine.process_ids) and not first & engine.process_ids

    await eventually(replaced, what="another process")
    check("The next one.", await engine.render(job("The next one.")))
    await engine.close()


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_closing_leaves_no_process_and_takes_no_job() -> None:
    engine = EspeakEngine(2)
    await engine.start()
    pids = engine.process_ids
    assert len(pids) == 2
    await engine.close()

    async def gone() -> bool:
        return not any(is_there(pid) for pid in pids)

    await eventually(gone, what="no process left")
    with pytest.raises(EngineUnavailable):
        await engine.render(job("Too late."))
