"""Another engine's speech as segments with times, by a real server that speaks OpenAI's protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from statistics import median

import pytest

from libs.speech.adapters.protocol import SpeechJob
from libs.speech.composed import ComposedEngine
from libs.speech.encoding import parse_output_format
from libs.speech.engine import RenderJob, UnknownEngineVoice
from libs.speech.espeak import EspeakEngine
from tests.integration.speech.engine_server import SpeechServer, speech_server
from tests.integration.speech.test_adapters_http import engine_of

TEXT = "Dr. Smith paid 25 dollars for three apples. Nobody knows why he did not buy any pears!"


@pytest.fixture
async def server() -> AsyncIterator[SpeechServer]:
    async with speech_server() as serving:
        yield serving


@pytest.fixture
async def fitter() -> AsyncIterator[EspeakEngine]:
    engine = EspeakEngine(1)
    await engine.start()
    yield engine
    await engine.close()


@pytest.fixture
async def composed(server: SpeechServer, fitter: EspeakEngine) -> AsyncIterator[ComposedEngine]:
    engine = ComposedEngine(engine_of(server), fitter)
    await engine.start()
    yield engine
    await engine.close()


def job(form: str = "wav_16000", language: str = "en-US") -> RenderJob:
    voice = {"voice": "alloy", "language": language}
    return RenderJob(TEXT, voice, parse_output_format(form), speed=1.2, language=language)


@pytest.mark.parametrize("form", ["wav_16000", "mp3_44100_128", "opus_48000_64"])
async def test_every_character_has_a_time_within_the_segment(composed: ComposedEngine, form: str) -> None:
    rendered = await composed.render(job(form))
    assert len(rendered.starts) == len(rendered.ends) == len(TEXT)
    assert all(later >= earlier for earlier, later in pairwise(rendered.starts))
    assert all(start <= end for start, end in zip(rendered.starts, rendered.ends, strict=True))
    assert 3 < max(rendered.ends) <= rendered.duration_seconds
    assert rendered.form == parse_output_format(form)


async def test_words_are_found_where_they_are_spoken(composed: ComposedEngine, fitter: EspeakEngine) -> None:
    """The server speaks with the same engine, whose own times are the truth."""
    rendered = await composed.render(job())
    truth = await fitter.render(
        RenderJob(TEXT, {"engine_voice": "gmw/en-US", "language": "en-US"}, parse_output_format("wav_24000"), speed=1.2)
    )
    begins = [index for index, (before, here) in enumerate(pairwise(" " + TEXT)) if before == " " != here]
    errors = [abs(rendered.starts[index] - truth.starts[index]) for index in begins]
    assert median(errors) <= 0.015
    assert sorted(errors)[int(0.95 * len(errors))] <= 0.08
    assert rendered.applied["alignment_agreement"] > 0.45


async def test_it_says_what_it_can_do(composed: ComposedEngine) -> None:
    model = composed.model
    assert (model.id, model.timings, model.ssml) == ("openai", "aligned", False)
    assert "alloy" in model.voices
    assert composed.is_ready


async def test_words_that_an_engine_times_itself_are_taken_as_they_are(fitter: EspeakEngine) -> None:
    pcm = bytes(2 * 16_000 * 3)
    fitted = await fitter.fit(
        "one two", pcm, 16_000, parse_output_format("wav_16000"), language="en", words=[(0, 3, 0.5), (4, 3, 1.75)]
    )
    assert fitted.starts[0] == pytest.approx(0.5)
    assert fitted.starts[4] == pytest.approx(1.75)
    assert fitted.samples == 48_000


async def test_a_language_that_nobody_can_time_is_refused(fitter: EspeakEngine) -> None:
    with pytest.raises(UnknownEngineVoice):
        await fitter.fit("x", bytes(100), 16_000, parse_output_format("wav"), language="tlh-XX", words=None)


async def test_the_engine_below_is_asked_for_what_it_honours(composed: ComposedEngine, server: SpeechServer) -> None:
    await composed.render(job())
    assert server.bodies[-1]["speed"] == pytest.approx(1.2)
    assert SpeechJob(TEXT).parameters == {}
