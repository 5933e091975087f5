"""eSpeak NG in its pool of processes."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.encoding import Joiner
from libs.speech.encoding.resampling import Resampler
from libs.speech.engine import (
    Rendered,
    TextNotSpeakable,
    UnknownEngineVoice,
    VoiceProfile,
)
from libs.speech.espeak import LONGEST_TEXT, EspeakEngine
from libs.speech.timbre.frames import ANALYSIS_RATE
from libs.speech.timbre.pitch import track
from tests.integration.speech.espeak_jobs import check, job, running
from tests.unit.speech.joined_audio import decode

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


def loudness(rendered: Rendered) -> float:
    """The root mean square, for peaks are cut off at the top of 16 bits."""
    return float(np.sqrt(np.mean(np.frombuffer(rendered.segment, "<i2").astype(float) ** 2)))


def tone_hz(rendered: Rendered) -> float:
    """The usual fundamental frequency."""
    samples = Resampler(rendered.form.sample_rate, ANALYSIS_RATE)
    pcm = samples.feed(rendered.segment) + samples.finish()
    hertz = track(np.frombuffer(pcm, "<i2") / 32_768)
    return float(np.median(hertz[hertz > 0]))


@pytest.mark.parametrize("name", TEXTS)
async def test_any_text_is_spoken_and_aligned(engine: EspeakEngine, name: str) -> None:
    text = TEXTS[name]
    language = name if "-" in name or len(name) == 2 else "en-US"
    check(text, await engine.render(job(text, VoiceProfile(language.partition("-")[0], language))))


@pytest.mark.parametrize("form", ["mp3", "mp3_44100_128", "opus", "ogg", "flac", "aac", "wav", "pcm", "ulaw", "alaw"])
async def test_a_segment_is_what_joins_into_its_format(engine: EspeakEngine, form: str) -> None:
    rendered = await engine.render(job("As a part of something longer.", form=form))
    check("As a part of something longer.", rendered)
    joiner = Joiner(rendered.form, rendered.samples)
    audio = joiner.head() + joiner.add(rendered.segment) + joiner.finish()
    assert decode(rendered.form, audio).samples.max() > 0.05
    assert rendered.duration_seconds == rendered.samples / rendered.form.sample_rate


PANGRAM = "The quick brown fox jumps over the lazy dog, and nobody knew why."


@pytest.mark.parametrize("variant", [None, "f2", "m3"])
async def test_pitch_is_a_shift_in_semitones_and_keeps_the_time(engine: EspeakEngine, variant: str | None) -> None:
    voice = VoiceProfile("gmw/en-US", "en-US", variant=variant)
    usual = await engine.render(job(PANGRAM, voice, seed=1))
    for semitones in (-9, -6.0, -3.0, 3.0, 6.0, 9.0):
        shifted = await engine.render(job(PANGRAM, voice, seed=1, pitch=semitones))
        assert 12 * math.log2(tone_hz(shifted) / tone_hz(usual)) == pytest.approx(semitones, abs=1.1)
        assert shifted.duration_seconds == pytest.approx(usual.duration_seconds, rel=0.05)
        assert shifted.applied["pitch"] == pytest.approx(semitones, abs=0.1)
        check(PANGRAM, shifted)


@pytest.mark.parametrize(("own", "asked", "most"), [(90, 12.0, 2.0), (None, 12.0, 10.0), (10, -12.0, 2.0)])
async def test_pitch_beyond_the_engine_is_reported_as_far_as_it_went(
    engine: EspeakEngine, own: int | None, asked: float, most: float
) -> None:
    rendered = await engine.render(job("Hello.", VoiceProfile("gmw/en-US", "en-US", pitch=own), pitch=asked))
    assert 1 < abs(rendered.applied["pitch"]) <= most


async def test_volume_is_a_factor_and_none_is_silence(engine: EspeakEngine) -> None:
    silent, half, usual, double = [
        await engine.render(job(PANGRAM, seed=1, volume=volume)) for volume in (0.0, 0.5, 1.0, 2.0)
    ]
    assert loudness(silent) == 0
    assert loudness(half) / loudness(usual) == pytest.approx(0.5, abs=0.1)
    assert loudness(double) > 1.3 * loudness(usual)
    for rendered in (silent, half, double):
        check(PANGRAM, rendered)
        assert rendered.samples == usual.samples
    assert (usual.applied["volume"], half.applied["volume"]) == (1.0, 0.5)


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
async def test_speed_is_a_factor(engine: EspeakEngine, speed: float) -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 3
    usual, other = [await engine.render(job(text, speed=factor)) for factor in (1.0, speed)]
    check(text, other)
    assert usual.ends[-2] / other.ends[-2] == pytest.approx(speed, rel=0.25)
    assert other.applied["speed"] == pytest.approx(speed, rel=0.02)


@pytest.mark.parametrize("form", ["pcm_22050", "mp3", "opus"])
async def test_a_seed_gives_the_same_bytes_whatever_was_spoken_before_and_in_any_process(form: str) -> None:
    seeded = job("Hush, she says: six sharp shivers.", form=form, seed=7)
    spoken: list[Rendered] = []
    for before in ([], ["Some other words."], ["One.", "Zwei.", "Shh."]):
        async with running(EspeakEngine(1)) as engine:
            for text in before:
                await engine.render(job(text))
            spoken += [await engine.render(seeded) for _ in range(2)]
    assert len({rendered.segment for rendered in spoken}) == 1
    assert len({(tuple(rendered.starts), tuple(rendered.ends)) for rendered in spoken}) == 1
    assert spoken[0].applied["seed"] == 7


async def test_seeds_and_jobs_without_one_do_not_disturb_each_other(engine: EspeakEngine) -> None:
    text = "She sells sea shells."
    # Where there is noise in a voice it is another noise; other voices have nothing that is drawn by lot.
    whisper = VoiceProfile("gmw/en-US", "en-US", variant="whisper")
    first, other = [await engine.render(job(text, whisper, seed=seed)) for seed in (1, 2)]
    assert first.segment != other.segment
    check(text, await engine.render(job(text, whisper)))
    assert (await engine.render(job(text, whisper, seed=1))).segment == first.segment


async def test_double_brackets_are_phonemes_only_where_they_are_asked_for(engine: EspeakEngine) -> None:
    text = "[[h@l'oU]]"
    phonemes, letters = [await engine.render(job(text, seed=1, has_phonemes=asked)) for asked in (True, False)]
    check(text, phonemes)
    check(text, letters)
    word = await engine.render(job("hello", seed=1))
    assert phonemes.samples == pytest.approx(word.samples, rel=0.1)
    assert letters.segment != phonemes.segment


async def test_markup_is_read_as_markup_only_where_it_is_asked_for(engine: EspeakEngine) -> None:
    text = 'one <break time="1s"/> two'
    markup, letters = [await engine.render(job(text, seed=1, is_markup=asked)) for asked in (True, False)]
    plain = await engine.render(job("one two", seed=1))
    check(text, markup)
    check(text, letters)
    assert markup.duration_seconds == pytest.approx(plain.duration_seconds + 1, abs=0.4)
    # The pause is where the element is, and the words are where they are heard.
    assert markup.starts[text.index("two")] - markup.ends[text.index("one")] > 0.9
    assert letters.segment != markup.segment


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
        *(engine.render(job(voice.preview_text, voice.profile, "mp3")) for voice in SYSTEM_VOICES)
    )
    for voice, preview in zip(SYSTEM_VOICES, previews, strict=True):
        check(voice.preview_text, preview)
        assert preview.duration_seconds > 1
    same = await asyncio.gather(*(engine.render(job("One two three.", voice.profile)) for voice in SYSTEM_VOICES))
    assert len({rendered.segment for rendered in same}) == len(SYSTEM_VOICES)
