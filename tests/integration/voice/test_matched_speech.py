"""The engine speaks as a matched voice: another sound, the same times."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import pytest_asyncio

from libs.speech.encoding import parse_output_format
from libs.speech.engine import Rendered, RenderJob, UnknownEngineVoice, VoiceProfile
from libs.speech.espeak import EspeakEngine
from libs.speech.timbre.frames import BANDS
from libs.speech.timbre.profile import measure
from libs.speech.timbre.transform import Transform

TEXT = "The boy threw his yellow kite high over the garden, while a cool breeze came up from the shore. " * 2
PLAIN = VoiceProfile("gmw/en-US", "en-US")
HIGHER = Transform(pitch_shift_semitones=5.0, envelope_warp=1.1, transfer_db=(*[6.0] * 10, *[-6.0] * (BANDS - 10)))
MATCHED = replace(PLAIN, transform=HIGHER.to_dict())


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[EspeakEngine]:
    started = EspeakEngine(2)
    await started.start()
    yield started
    await started.close()


async def speak(engine: EspeakEngine, voice: VoiceProfile, *, form: str = "pcm_22050", speed: float = 1.0) -> Rendered:
    job = RenderJob(TEXT, voice.to_settings(), parse_output_format(form), speed=speed, seed=1)
    return await engine.render(job)


@pytest.mark.parametrize("speed", [1.0, 0.5, 3.0])
async def test_a_matched_voice_sounds_different_at_the_same_times(engine: EspeakEngine, speed: float) -> None:
    plain, matched = await asyncio.gather(*(speak(engine, voice, speed=speed) for voice in (PLAIN, MATCHED)))
    assert matched.samples == plain.samples
    assert (list(matched.starts), list(matched.ends)) == (list(plain.starts), list(plain.ends))
    assert len(matched.starts) == len(TEXT)
    assert all(before <= after for before, after in pairwise(matched.starts))
    assert matched.ends[-1] <= matched.duration_seconds
    heard = [np.frombuffer(rendered.segment, np.int16) for rendered in (plain, matched)]
    before, after = (measure(samples, 22_050) for samples in heard)
    assert 12 * np.log2(after.median_f0_hz / before.median_f0_hz) == pytest.approx(5, abs=0.7)
    energy = [np.square(samples.astype(float)).sum() for samples in heard]
    assert 0.01 < energy[1] / energy[0] < 100


async def test_a_matched_voice_is_encoded_as_any_other_and_the_same_twice(engine: EspeakEngine) -> None:
    first, second = [await speak(engine, MATCHED, form="mp3") for _ in range(2)]
    assert first.segment == second.segment != (await speak(engine, PLAIN, form="mp3")).segment


async def test_after_a_matched_voice_the_plain_one_is_what_it_was(engine: EspeakEngine) -> None:
    before = await speak(engine, PLAIN)
    await asyncio.gather(*(speak(engine, MATCHED) for _ in range(2)))
    assert (await speak(engine, PLAIN)).segment == before.segment


@pytest.mark.parametrize("transform", [{"pitch_shift_semitones": 99}, {"unheard_of": 1.0}, {"gain_db": "loud"}])
async def test_a_transform_that_makes_no_sense_is_refused_and_kills_nothing(
    engine: EspeakEngine, transform: dict[str, object]
) -> None:
    processes = engine.process_ids
    with pytest.raises(UnknownEngineVoice, match="transform"):
        await speak(engine, replace(PLAIN, transform=transform))
    assert engine.process_ids == processes
