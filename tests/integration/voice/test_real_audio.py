"""Real recordings in every common format, through the real decoders: examined and matched as in production."""

from __future__ import annotations

import asyncio
import io
import time
import wave

import numpy as np
import psutil
import pytest

from libs.audio.intake import Intake
from libs.database import Database
from libs.speech.encoding import parse_output_format
from libs.speech.engine import RenderJob, VoiceProfile
from libs.speech.espeak import EspeakEngine
from libs.speech.timbre.profile import measure
from services.voice.adapters.engine_child import ChildLimits
from services.voice.adapters.matching import match_timbre
from services.voice.domain import MatchingFailed, Reference
from services.voice.usecases import Deps, examine_voice
from tests.integration.audio.recordings import Encoding, encoded
from tests.integration.audio.test_hostile import files as hostile_files
from tests.integration.voice.conftest import Client
from tests.integration.voice.workshop import submissions, workshop
from tests.support.polling import eventually
from tests.support.recordings import spoken_wav

RATE = 22_050
TEXT = "The boy threw his yellow kite high over the garden."


def _samples(wav: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    with wave.open(io.BytesIO(wav)) as reader:
        return np.frombuffer(reader.readframes(reader.getnframes()), np.int16).astype(np.float32) / np.float32(32_768)


ENCODINGS = {
    "wav": (Encoding("wav", "pcm_s24le", 44_100, 2), "audio/wav"),
    "mp3": (Encoding("mp3", "libmp3lame", 44_100), "audio/mpeg"),
    "m4a": (Encoding("ipod", "aac", 44_100), "audio/mp4"),
    "flac": (Encoding("flac", "flac", 24_000), "audio/flac"),
    "ogg": (Encoding("ogg", "libopus"), "audio/ogg"),
    "webm": (Encoding("webm", "libopus"), "audio/webm"),
}


async def test_a_voice_is_made_of_any_common_audio(
    client: Client, deps: Deps, database: Database, intake: Intake
) -> None:
    samples = _samples(spoken_wav())
    for name, (encoding, content_type) in ENCODINGS.items():
        voice = await client.created(name, files=[encoded(samples, RATE, encoding)])
        [submitted] = await submissions(database, client.org_id, voice["id"])
        await examine_voice(workshop(deps, intake.examine), submitted)
        now = await client.voice(voice["id"])
        assert (now["status"], now["reasons"]) == ("ready", []), name
        [sample] = (await client.get(f"/v1/voices/{voice['id']}/samples")).body["items"]
        assert (sample["content_type"], sample["sample_rate"]) == (content_type, encoding.sample_rate)
        assert sample["duration_seconds"] == pytest.approx(len(samples) / RATE, abs=0.2)


async def test_files_count_together_and_too_little_speech_is_measured(
    client: Client, deps: Deps, database: Database, intake: Intake
) -> None:
    samples = _samples(spoken_wav(6))
    middle = len(samples) // 2
    parts = [encoded(part, RATE, Encoding("wav", "pcm_s16le", RATE)) for part in (samples[:middle], samples[middle:])]
    for files, status in ((parts[:1], "rejected"), (parts, "ready")):
        voice = await client.created(f"Of {len(files)}", files=files)
        [submitted] = await submissions(database, client.org_id, voice["id"])
        await examine_voice(workshop(deps, intake.examine), submitted)
        now = await client.voice(voice["id"])
        assert now["status"] == status, now["reasons"]
        if status == "rejected":
            [reason] = now["reasons"]
            measured = now["quality"]["speech_seconds"]
            assert reason["message"] == f"{int(measured * 10) / 10} s of speech; at least 10 s are needed"


async def test_no_broken_file_becomes_a_voice_or_breaks_anything(
    client: Client, deps: Deps, database: Database, intake: Intake
) -> None:
    # Every fifth of the 500 that the decoders are held to.
    hostile = [content for content in hostile_files(_samples(spoken_wav()), RATE)[::5] if content]
    before = psutil.Process().memory_info().rss
    examining = workshop(deps, intake.examine)
    for begin in range(0, len(hostile), 8):
        names = [f"Hostile {begin + number}" for number in range(len(hostile[begin : begin + 8]))]
        made = await asyncio.gather(
            *(client.created(name, files=[content]) for name, content in zip(names, hostile[begin:], strict=False))
        )
        events = [one for voice in made for one in await submissions(database, client.org_id, voice["id"])]
        await asyncio.gather(*(examine_voice(examining, event) for event in events))
    rejected: list[dict[str, object]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get("/v1/voices", status="rejected", limit=100, **cursor)).body
        rejected += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(rejected) == len(hostile) >= 95
    assert all(voice["reasons"] for voice in rejected)
    assert psutil.Process().memory_info().rss - before < 96 * 2**20


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A voice that is unlike the plain one: high, quick, and through another tract."""

    async def spoken() -> bytes:
        engine = EspeakEngine(1)
        await engine.start()
        voice = VoiceProfile("gmw/en-US", "en-US", rate=210, pitch=70, variant="f2").to_settings()
        try:
            text = (
                f"{TEXT} " * 4 + "She sells sea shells by the sea shore, and nobody knows how many there were in all."
            )
            return (await engine.render(RenderJob(text, voice, parse_output_format("pcm_22050")))).segment
        finally:
            await engine.close()

    return Reference(asyncio.run(spoken()), RATE, "en-US")


async def test_a_matched_voice_is_spoken_nearer_to_its_reference(reference: Reference) -> None:
    matched = await match_timbre(reference)
    before, after = matched.report["before"], matched.report["after"]
    assert after["pitch_error_semitones"] <= 0.5 < before["pitch_error_semitones"]
    assert after["spectral_distance_db"] <= 0.5 * before["spectral_distance_db"]
    assert matched.report["steps"]
    assert matched.preview[:3] == b"ID3" or matched.preview[0] == 0xFF
    # The engine that speaks for clients comes as near as the one that was measured.
    engine = EspeakEngine(1)
    await engine.start()
    try:
        form = parse_output_format("pcm_22050")
        spoken = await engine.render(RenderJob(f"{TEXT} " * 4, matched.engine_settings, form))
    finally:
        await engine.close()
    heard = measure(np.frombuffer(spoken.segment, np.int16), RATE)
    wanted = measure(np.frombuffer(reference.pcm, np.int16), RATE)
    assert abs(12 * np.log2(heard.median_f0_hz / wanted.median_f0_hz)) < 1.0


LIMITS = {
    "clock": ChildLimits(wall_seconds=0.5, cpu_seconds=90),
    "cpu": ChildLimits(wall_seconds=180, cpu_seconds=1),
    "memory": ChildLimits(wall_seconds=180, cpu_seconds=90, memory_bytes=2**22),
}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
async def test_matching_that_takes_too_much_is_ended_and_said(reference: Reference, limits: ChildLimits) -> None:
    began = time.monotonic()
    with pytest.raises(MatchingFailed):
        await match_timbre(reference, limits=limits)
    assert time.monotonic() - began < 20
    assert not _matching_processes()


async def test_matching_ends_with_its_caller(reference: Reference) -> None:
    task = asyncio.create_task(match_timbre(reference))
    await eventually(_started, within=20, what="the matching process")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _matching_processes()


async def _started() -> list[psutil.Process]:
    return _matching_processes()


def _matching_processes() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if "matching_process" in " ".join(one.cmdline())]


@pytest.mark.parametrize("content", [bytes(2 * RATE * 12), b""], ids=["silence", "nothing"])
async def test_what_has_no_voice_is_not_matched(content: bytes) -> None:
    with pytest.raises(MatchingFailed, match="no voice could be measured"):
        await match_timbre(Reference(content, RATE, "en-US"))


async def test_no_secret_reaches_the_matching_process(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_SECRET", "canary")
    task = asyncio.create_task(match_timbre(reference))
    [process] = await eventually(_started, within=20, what="the matching process")
    environment = process.environ()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "canary" not in environment.values()
    assert "PYTHONPATH" in environment
