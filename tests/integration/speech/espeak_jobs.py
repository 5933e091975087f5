"""Jobs for eSpeak NG, and what holds for whatever it speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

from libs.speech.encoding import Codec, parse_output_format
from libs.speech.engine import (
    Rendered,
    RenderJob,
    VoiceProfile,
)
from libs.speech.espeak import EspeakEngine

ENGLISH = VoiceProfile("gmw/en-US", "en-US")


@asynccontextmanager
async def running(engine: EspeakEngine) -> AsyncIterator[EspeakEngine]:
    """The engine from its start to its end, whatever happens: a process that is left would be waited for."""
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def job(text: str, voice: VoiceProfile = ENGLISH, form: str = "pcm_22050", **parameters: Any) -> RenderJob:
    # Any: of RenderJob, by name.
    return RenderJob(text, voice.to_settings(), parse_output_format(form), **parameters)


def check(text: str, rendered: Rendered) -> None:
    starts, ends = rendered.starts, rendered.ends
    assert len(starts) == len(ends) == len(text)
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    for times in (starts, ends):
        assert all(before <= after for before, after in pairwise(times))
    assert starts[0] >= 0
    assert ends[-1] <= rendered.duration_seconds
    assert rendered.samples > 0
    if rendered.form.codec is Codec.PCM:
        assert len(rendered.segment) == 2 * rendered.samples
