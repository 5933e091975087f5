"""Forced alignment against the embedded engine's own events: what one voice says aligned with what another one says.

The engine speaks in a process of its own; here is only what it recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import process_time
from typing import NamedTuple

import numpy as np
import pytest
import pyworld
from numpy.typing import NDArray

from libs.speech.forced import LEAST_AGREEMENT
from libs.speech.forced.aligner import CarriedOver, carry_over

Samples = NDArray[np.float32]
ENGINE_RATE = 22050
TEXTS = {
    "en-US": "The quick brown fox jumps over the lazy dog. She sells sea shells by the shore, and nobody asks why.",
    "de": "Schöne Grüße aus München, es sind heute fünfundzwanzig Grad. Am Abend regnet es vielleicht ein wenig.",
    "es": "¿Dónde está la biblioteca, señor? Mañana por la mañana iremos todos juntos a la playa.",
    "fr-FR": "L'été dernier, nous étions à Paris avec toute la famille. Il faisait très chaud pendant la journée.",
    "pl": "Wczoraj wieczorem poszliśmy na spacer do parku. Było zimno, ale bardzo przyjemnie.",
    "ru": "Привет, мир! Сегодня двадцать пять градусов. Мы долго гуляли по старому городу и пили чай.",
    "el": "Καλημέρα σας, τι κάνετε σήμερα; Ο ήλιος λάμπει και η θάλασσα είναι ήρεμη.",
    "tr": "Bugün hava çok güzel, parka gidelim. Akşam da birlikte yemek yeriz.",
    "ar": "مرحبا بالعالم، كيف حالك اليوم؟ ذهب الولد إلى المدرسة في الصباح الباكر.",
    "hi": "नमस्ते दुनिया, आज मौसम बहुत अच्छा है। हम शाम को बाज़ार जाएंगे और फल खरीदेंगे।",
    "cmn": "今天天气很好,我们去公园吧。昨天晚上我看了一本很有意思的书。",
    "ko": "안녕하세요, 오늘 날씨가 정말 좋네요. 우리는 저녁에 공원에서 만나기로 했어요.",
    "ka": "გამარჯობა, როგორ ხართ დღეს? ამინდი ძალიან კარგია და მზე ანათებს.",
    "ta": "வணக்கம், நீங்கள் எப்படி இருக்கிறீர்கள்? இன்று வானிலை மிகவும் நன்றாக இருக்கிறது.",
}


class Speaker(NamedTuple):
    variant: str | None = None
    rate: int = 175
    pitch: int = 50
    word_gap: int = 0


class Spoken(NamedTuple):
    pcm: NDArray[np.int16]
    starts: list[float]
    ends: list[float]
    words: list[int]
    """Where in the text the engine's words begin."""


class Recording(NamedTuple):
    """What happens to the audio of a speaker before it is aligned."""

    speaker: Speaker
    sample_rate: int = ENGINE_RATE
    noise_db: float | None = None
    silence: tuple[float, float] = (0.0, 0.0)


MEDIAN_SECONDS, P95_SECONDS = 0.006, 0.035
"""What is reached for the engine's own voices, with some room; 15 and 80 ms are what captions need."""
REFERENCE = Speaker()
RECORDINGS = {
    "woman": Recording(Speaker("f2")),
    "man": Recording(Speaker("m3", rate=185, pitch=30), sample_rate=24000),
    "child": Recording(Speaker("f4", rate=190, pitch=90)),
    "whisper": Recording(Speaker("whisper", rate=170)),
    "other synthesis": Recording(Speaker("klatt4", rate=165, pitch=60)),
    "slow": Recording(Speaker("f3", rate=122)),
    "fast": Recording(Speaker("m2", rate=245)),
    "word gaps": Recording(Speaker("f1", word_gap=20)),
    "noise": Recording(Speaker("f5"), noise_db=20.0),
    "loud noise": Recording(Speaker("f5"), noise_db=10.0),
    "telephone": Recording(Speaker("f2"), sample_rate=8000),
    "16 kHz": Recording(Speaker("f5", rate=160), sample_rate=16000),
    "silence around": Recording(Speaker("m7"), silence=(1.3, 2.1)),
    "all of it": Recording(Speaker("f2", rate=200), sample_rate=16000, noise_db=20.0, silence=(0.8, 1.5)),
}


def speak(jobs: Sequence[tuple[str, str, Speaker]]) -> list[Spoken]:
    """Runs in a process of its own, and so does the engine."""
    from libs.speech.alignment import align
    from libs.speech.espeak_native import Espeak

    engine = Espeak()
    assert engine.sample_rate == ENGINE_RATE
    spoken = []
    for text, language, speaker in jobs:
        engine.set_voice(language, speaker.variant, language)
        engine.set_parameters(
            rate=speaker.rate, pitch=speaker.pitch, pitch_range=None, volume=None, word_gap=speaker.word_gap
        )
        pcm = bytearray()
        words, phonemes, count = engine.speak(text, pcm.extend, most_samples=ENGINE_RATE * 600)
        starts, ends = align(text, words, phonemes, total_samples=count, duration_seconds=count / ENGINE_RATE)
        positions = sorted({word.position for word in words if 0 <= word.position < len(text)})
        spoken.append(Spoken(np.frombuffer(bytes(pcm), np.int16), starts, ends, positions))
    return spoken


@pytest.fixture(scope="module")
def corpus() -> dict[tuple[str, Speaker], Spoken]:
    """Every text by every speaker."""
    speakers = [REFERENCE, *(recording.speaker for recording in RECORDINGS.values())]
    keys = [(language, speaker) for language in TEXTS for speaker in dict.fromkeys(speakers)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return dict(zip(keys, process.submit(speak, [(TEXTS[key[0]], *key) for key in keys]).result(), strict=True))


@pytest.mark.parametrize("name", RECORDINGS)
def test_words_are_found_in_what_another_voice_says(corpus: dict[tuple[str, Speaker], Spoken], name: str) -> None:
    recording = RECORDINGS[name]
    errors: list[float] = []
    for language, text in TEXTS.items():
        reference, unknown = corpus[language, REFERENCE], corpus[language, recording.speaker]
        assert reference.words == unknown.words
        audio = recorded(unknown.pcm, recording)
        carried = aligned(reference, audio, recording.sample_rate)
        check_promises(carried, text, len(audio) / recording.sample_rate)
        truth = np.array(unknown.starts)[unknown.words] + recording.silence[0]
        errors.extend(np.abs(np.array(carried.starts)[unknown.words] - truth))
    assert np.median(errors) <= MEDIAN_SECONDS
    assert np.quantile(errors, 0.95) <= P95_SECONDS


@pytest.mark.parametrize("language", ["en-US", "ru", "ar", "cmn"])
def test_words_are_found_at_another_tempo_in_every_syllable(
    corpus: dict[tuple[str, Speaker], Spoken], language: str
) -> None:
    """No voice of the engine: its speech taken apart, and put together with other lengths, pitch and vocal tract."""
    reference, source = corpus[language, REFERENCE], corpus[language, RECORDINGS["man"].speaker]
    audio, known, moved = resynthesised(source.pcm)
    carried = aligned(reference, audio, ENGINE_RATE)
    truth = np.interp(np.array(source.starts)[source.words], known, moved)
    errors = np.abs(np.array(carried.starts)[source.words] - truth)
    assert np.median(errors) <= 0.015
    assert np.quantile(errors, 0.95) <= 0.080
    assert carried.agreement > LEAST_AGREEMENT


def test_the_agreement_tells_whether_the_audio_speaks_the_text(corpus: dict[tuple[str, Speaker], Spoken]) -> None:
    speaker = RECORDINGS["woman"].speaker
    fitting, unfitting = [], []
    languages = list(TEXTS)
    for language, other in zip(languages, languages[1:] + languages[:1], strict=True):
        reference = corpus[language, REFERENCE]
        fitting.append(aligned(reference, recorded(corpus[language, speaker].pcm, Recording(speaker)), ENGINE_RATE))
        wrong = recorded(corpus[other, speaker].pcm, Recording(speaker))
        unfitting.append(aligned(reference, wrong, ENGINE_RATE))
        check_promises(unfitting[-1], TEXTS[language], len(wrong) / ENGINE_RATE)
    assert min(carried.agreement for carried in fitting) > LEAST_AGREEMENT
    assert max(carried.agreement for carried in unfitting) < LEAST_AGREEMENT


def test_a_minute_takes_little_time(corpus: dict[tuple[str, Speaker], Spoken]) -> None:
    """As one chunk: the cost must not grow with the square of the length."""
    reference, unknown = (np.tile(corpus["de", each].pcm, 10) for each in (REFERENCE, RECORDINGS["woman"].speaker))
    began = process_time()
    carry_over(reference[: 60 * ENGINE_RATE], ENGINE_RATE, [0.0], [1.0], unknown[: 60 * ENGINE_RATE], ENGINE_RATE)
    assert process_time() - began < 5


def aligned(reference: Spoken, audio: Samples, sample_rate: int) -> CarriedOver:
    return carry_over(reference.pcm, ENGINE_RATE, reference.starts, reference.ends, audio, sample_rate)


def check_promises(carried: CarriedOver, text: str, duration: float) -> None:
    assert len(carried.starts) == len(carried.ends) == len(text)
    for times in (carried.starts, carried.ends):
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= duration
    assert all(start <= end for start, end in zip(carried.starts, carried.ends, strict=True))


def recorded(pcm: NDArray[np.int16], recording: Recording) -> Samples:
    """The engine's samples as the recording has them."""
    before, after = (round(seconds * ENGINE_RATE) for seconds in recording.silence)
    audio = np.pad(pcm / 32768, (before, after))
    if recording.noise_db is not None:
        level = np.sqrt(np.mean((pcm / 32768) ** 2) / 10 ** (recording.noise_db / 10))
        audio = audio + np.random.default_rng(len(pcm)).normal(0, level, len(audio))
    return resampled(audio, recording.sample_rate)


def resynthesised(pcm: NDArray[np.int16]) -> tuple[Samples, NDArray[np.float64], NDArray[np.float64]]:
    """A new recording, and when what was at which time before is at which time in it."""
    generator = np.random.default_rng(len(pcm))
    samples = pcm / 32768 + generator.normal(0, 1e-5, len(pcm))
    coarse, times = pyworld.dio(samples, ENGINE_RATE)
    pitch = pyworld.stonemask(samples, coarse, times, ENGINE_RATE)
    spectrum = np.log(pyworld.cheaptrick(samples, pitch, times, ENGINE_RATE))
    noisiness = pyworld.d4c(samples, pitch, times, ENGINE_RATE)
    tempo = np.repeat(generator.lognormal(0, 0.35, len(times) // 30 + 1), 30)[: len(times)]
    moved = np.concatenate(([0.0], np.cumsum(np.convolve(tempo, np.full(9, 1 / 9), "same"))[:-1]))
    frames = np.interp(np.arange(int(moved[-1])), moved, np.arange(len(times))).round().astype(np.intp)
    bins = np.arange(spectrum.shape[1])
    shorter_tract = np.stack([np.interp(bins / 1.1, bins, frame) for frame in spectrum[frames]])
    audio = pyworld.synthesize(1.5 * pitch[frames], np.exp(shorter_tract), noisiness[frames], ENGINE_RATE)
    return audio.astype(np.float32), times, moved * times[1]


def resampled(audio: NDArray[np.float64], sample_rate: int) -> Samples:
    """By its spectrum: exact, and good enough for what is silent at both ends."""
    count = round(len(audio) * sample_rate / ENGINE_RATE)
    spectrum = np.fft.rfft(audio)
    bins = np.zeros(count // 2 + 1, complex)
    common = min(len(bins), len(spectrum))
    bins[:common] = spectrum[:common]
    return (np.fft.irfft(bins, count) * count / len(audio)).astype(np.float32)
