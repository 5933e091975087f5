"""Recordings of clients, aligned with their texts: through the real decoders and the real aligner."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import suppress
from typing import Any

import aiohttp
import numpy as np
import psutil
import pytest

from libs.speech.encoding import parse_output_format
from libs.speech.engine import Rendered, RenderJob, VoiceProfile
from libs.speech.espeak import EspeakEngine
from services.voice.adapters.aligning import Aligner
from services.voice.adapters.engine_child import ChildLimits
from services.voice.domain.alignments import AligningFailed, Recording
from tests.integration.audio.recordings import Encoding, Samples, encoded, wav
from tests.integration.voice.conftest import Answer, Client

RATE = 22_050
TEXT = "She sells sea shells by the shore, and nobody asks why. We shall meet again when the evening comes."
OTHER = "Quarterly figures were published yesterday; the board was pleased with every single one of them, again."


async def spoken(text: str, voice: VoiceProfile) -> tuple[Rendered, Samples]:
    engine = EspeakEngine(1)
    await engine.start()
    try:
        rendered = await engine.render(RenderJob(text, voice.to_settings(), parse_output_format("pcm_22050")))
    finally:
        await engine.close()
    return rendered, np.frombuffer(rendered.segment, np.int16).astype(np.float32) / np.float32(32_768)


async def aligned(client: Client, content: bytes, text: str | None, **fields: str) -> Answer:
    form = aiohttp.FormData({**({"text": text} if text is not None else {}), **fields})
    form.add_field("file", io.BytesIO(content), filename="a.bin", content_type="application/octet-stream")
    return await client.ask("POST", "/v1/alignments", data=form)


async def test_a_recording_is_aligned_with_what_it_says(client: Client) -> None:
    recorded, samples = await spoken(TEXT, VoiceProfile("gmw/en-US", "en-US", rate=150, pitch=30, variant="m3"))
    answer = await aligned(client, encoded(samples, RATE, Encoding("flac", "flac", 24_000)), TEXT)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.body
    assert "".join(found["characters"]) == TEXT
    assert (found["language"], found["doubtful"]) == ("en", False)
    assert found["duration_seconds"] == pytest.approx(recorded.duration_seconds, abs=0.05)
    assert [one["text"] for one in found["words"]] == TEXT.replace(",", "").replace(".", "").split()
    assert all(TEXT[one["start_index"] : one["end_index"]] == one["text"] for one in found["words"])
    errors = sorted(abs(one["start"] - recorded.starts[one["start_index"]]) for one in found["words"])
    assert errors[len(errors) // 2] < 0.015
    assert errors[-2] < 0.08


async def test_a_recording_of_something_else_is_doubtful(client: Client) -> None:
    _, samples = await spoken(OTHER, VoiceProfile("gmw/en-US", "en-US", variant="f2"))
    answer = await aligned(client, wav(samples, RATE), TEXT, language="en-US")
    assert answer.status == 200, answer.body
    assert answer.body["doubtful"]


@pytest.mark.parametrize(
    ("content", "text", "fields", "named"),
    [
        (b"no audio", TEXT, {}, "file"),
        (b"", TEXT, {}, "file"),
        (b"x", None, {}, "text"),
        (b"x", "a" * 5001, {}, "text"),
        (b"x", "…!", {}, "text"),
        (b"x", TEXT, {"language": "xx-XX"}, "language"),
        (b"x", TEXT, {"language": "no tag"}, "language"),
    ],
)
async def test_what_cannot_be_aligned_is_said(
    client: Client, content: bytes, text: str | None, fields: dict[str, str], named: str
) -> None:
    answer = await aligned(client, content, text, **fields)
    assert answer.status == 422, answer.body
    assert [one["field"] for one in answer.body["errors"]] == [named]


def aligning() -> int:
    """How many processes are aligning."""
    found = 0
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            found += "aligning_process" in " ".join(process.cmdline())
    return found


async def test_a_recording_that_takes_too_much_is_ended_and_said() -> None:
    noise = np.random.default_rng(1).integers(-9000, 9000, RATE * 120, np.int16)
    recording = Recording(noise.tobytes(), RATE, TEXT * 40, "en-US")
    began = time.monotonic()
    with pytest.raises(AligningFailed, match="longer than"):
        await Aligner().align(recording, limits=ChildLimits(wall_seconds=60, cpu_seconds=1))
    assert time.monotonic() - began < 30
    assert not aligning()


async def test_two_are_aligned_at_a_time() -> None:
    aligner = Aligner()
    recording = Recording(bytes(2 * RATE * 60), RATE, TEXT, "en-US")
    waiting = [asyncio.create_task(aligner.align(recording)) for _ in range(5)]
    most = 0
    while not all(one.done() for one in waiting):
        most = max(most, aligning())
        await asyncio.wait(waiting, timeout=0.05)
    assert most == 2
    assert all(len(one.result().starts) == len(TEXT) for one in waiting)
