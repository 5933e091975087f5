"""Recordings of somebody who speaks, for tests that make voices of them: spoken by the embedded engine."""

from __future__ import annotations

import asyncio
import functools
import io
import wave

from libs.speech.encoding import parse_output_format
from libs.speech.engine import RenderJob, VoiceProfile
from libs.speech.espeak import EspeakEngine

_SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "She sells sea shells by the sea shore.",
    "Nobody knows how many there were in all.",
    "We shall meet again when the evening comes.",
)
_FORM = parse_output_format("pcm_22050")
_PAUSE = bytes(2 * int(0.8 * _FORM.sample_rate))


@functools.cache
def spoken_wav(sentences: int = 5) -> bytes:
    """A WAV file of sentences with pauses, about 3 s of speech each; five are enough for a voice."""
    # A loop of its own, in a thread of its own: callers may be running in one.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        pcm = thread.submit(lambda: asyncio.run(_spoken(sentences))).result()
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(_FORM.sample_rate)
        writer.writeframes(pcm)
    return out.getvalue()


async def _spoken(sentences: int) -> bytes:
    engine = EspeakEngine(1)
    await engine.start()
    voice = VoiceProfile("gmw/en-US", "en-US", rate=140, pitch=35, variant="m3").to_settings()
    try:
        parts = [
            (await engine.render(RenderJob(_SENTENCES[number % 4], voice, _FORM))).segment + _PAUSE
            for number in range(sentences)
        ]
    finally:
        await engine.close()
    return b"".join(parts)
