"""Custom voices of eSpeak NG, matched in timbre to references that are unlike it and unlike each other.

The engine and everything that needs it runs in processes of their own: there can be one engine in each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pyworld
from numpy.typing import NDArray

from libs.speech.alignment import Word
from libs.speech.engine import VoiceProfile
from libs.speech.timbre.frames import Floats, resample
from libs.speech.timbre.match import Match, match
from libs.speech.timbre.profile import TimbreProfile, measure
from libs.speech.timbre.transform import Transform, apply

if TYPE_CHECKING:
    from libs.speech.espeak_native import Espeak

RATE = 22050
ENGLISH = "gmw/en-US"
REFERENCE_TEXT = (
    "My grandmother always told me that a garden needs patience. Every spring we planted beans, tomatoes and yellow "
    "flowers near the old fence. Sometimes the rain came too early, but nobody complained about it."
)
EVALUATION_TEXT = (
    "In this video we will look at five surprising facts about the human brain. The company announced record profits "
    "today after a difficult summer. Please remember to bring your passport, and wait for us near the main entrance."
)
VOWELS_HZ = np.array(
    [
        (730, 1090, 2440, 3400), (270, 2290, 3010, 3600), (300, 870, 2240, 3300),
        (530, 1840, 2480, 3500), (570, 840, 2410, 3300), (660, 1720, 2410, 3500),
    ],
    dtype=np.float64,
)  # fmt: skip
"""Formants of American English vowels (Peterson and Barney 1952), with a usual fourth."""


@cache
def _engine() -> Espeak:
    from libs.speech.espeak_native import Espeak

    return Espeak()


def _spoken(voice: VoiceProfile, text: str) -> tuple[NDArray[np.int16], list[Word]]:
    pieces: list[bytes] = []
    engine = _engine()
    engine.set_voice(voice.engine_voice, voice.variant, voice.language)
    engine.set_parameters(
        rate=voice.rate or 175, pitch=voice.pitch, pitch_range=voice.pitch_range, volume=None, word_gap=None
    )
    words, _, _ = engine.speak(text, pieces.append, most_samples=RATE * 600)
    return np.frombuffer(b"".join(pieces), dtype=np.int16), words


def _speak(voice: VoiceProfile, text: str) -> tuple[NDArray[np.int16], int]:
    return _spoken(voice, text)[0], RATE


def _variant(name: str, *, rate: int = 175, pitch: int = 50, pitch_range: int = 50) -> Floats:
    pcm, _ = _speak(VoiceProfile(ENGLISH, "en-US", rate, pitch, pitch_range, name), REFERENCE_TEXT)
    return pcm.astype(np.float64) / 32768.0


def _other_tract(sound: Floats, factor: float) -> Floats:
    """Played faster: pitch and formants go up together, as of a smaller speaker."""
    return resample(sound, round(RATE * factor), RATE)


def _filtered(sound: Floats, gain: Callable[[Floats], Floats]) -> Floats:
    hertz = np.asarray(np.fft.rfftfreq(sound.size, 1.0 / RATE), dtype=np.float64)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound) * gain(hertz), sound.size))


def _with_noise(sound: Floats, snr_db: float) -> Floats:
    noise = np.random.default_rng(1).standard_normal(sound.size)
    return np.asarray(sound + noise * np.sqrt((sound**2).mean()) * 10.0 ** (-snr_db / 20.0))


def _source_filter(f0_hz: float, tract: float, cutoff_hz: float, seed: int, seconds: float = 12.0) -> Floats:
    """A voice that is not the engine's: glottal pulses with jitter and a melody through the formants of vowels.

    Each pulse has the response of the vowel that is being said; vowels last 0.22 s and glide into each other, phrases
    2.2 s. `tract` scales the formants, `cutoff_hz` is where the glottal source begins to fall by 12 dB an octave.
    """
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    phrase = time % 2.6
    melody = 2.0 * np.sin(2.0 * np.pi * time / 0.9 + 1.0) + 1.5 * (1.0 - phrase / 1.3)
    cycles = np.cumsum(f0_hz * 2.0 ** (melody / 12.0) / RATE)
    pulses = np.flatnonzero(np.diff(np.floor(cycles)) > 0)
    pulses = pulses + np.rint(random.standard_normal(pulses.size) * 0.006 * RATE / f0_hz).astype(int)
    vowel = VOWELS_HZ[random.integers(0, len(VOWELS_HZ), int(seconds / 0.22) + 2)] * tract
    place = np.clip(pulses, 0, time.size - 1) / RATE / 0.22
    glide = np.clip((place % 1.0 - 0.6) / 0.4, 0.0, 1.0)[:, None]
    formants = vowel[place.astype(int)] * (1.0 - glide) + vowel[place.astype(int) + 1] * glide
    loudness = (0.15 + 0.85 * np.sin(np.pi * (place % 1.0))) * (phrase[np.clip(pulses, 0, time.size - 1)] < 2.2)
    hertz = np.fft.rfftfreq(2048, 1.0 / RATE)
    response = (1j * hertz / (1.0 + 1j * hertz / 100.0) / (1.0 + 1j * hertz / cutoff_hz) ** 2)[None, :]
    for number, width in enumerate((80.0, 100.0, 140.0, 200.0)):
        centre = formants[:, number, None]
        response = response * centre**2 / (centre**2 - hertz**2 + 1j * hertz * width)
    sound = np.zeros(time.size + 4096)
    for at, shape in zip(pulses, np.fft.irfft(response) * loudness[:, None], strict=True):
        sound[max(0, at) : max(0, at) + 2048] += shape
    sound = sound[: time.size] / np.abs(sound).max() * 0.6
    return np.asarray(_with_noise(sound, 45.0))


def _telephone(hertz: Floats) -> Floats:
    return np.where((hertz > 300.0) & (hertz < 3400.0), 1.0, 1e-3)


REFERENCES: dict[str, Callable[[], Floats]] = {
    "longer tract": lambda: _other_tract(_variant("m8", rate=200, pitch=65), 0.85),
    "shorter tract": lambda: _other_tract(_variant("f2", pitch=60, rate=150), 1.2),
    "child at 400 Hz": lambda: _other_tract(_variant("Annie", pitch=95, rate=150), 1.2),
    "telephone": lambda: _filtered(_variant("Mike", pitch=60), _telephone),
    "noisy": lambda: _with_noise(_variant("Gene2", pitch=55), 25.0),
    "other source, 105 Hz": lambda: _source_filter(105.0, 1.0, 900.0, 3),
    "other source, 215 Hz": lambda: _source_filter(215.0, 1.15, 700.0, 4),
}


@dataclass(frozen=True)
class Outcome:
    """What matching found, and the plain and the matched voice reading a text that it has never seen."""

    reference: Floats
    target: TimbreProfile
    match: Match
    plain: NDArray[np.int16]
    unchanged: NDArray[np.int16]
    matched: NDArray[np.int16]
    words: list[Word]


def _outcome(name: str) -> Outcome:
    reference = REFERENCES[name]()
    target = measure(reference, RATE)
    found = match(target, "en-US", _speak)
    unchanged, words = _spoken(found.settings, EVALUATION_TEXT)
    matched = apply(unchanged, RATE, found.transform)
    plain, _ = _speak(VoiceProfile(ENGLISH, "en-US"), EVALUATION_TEXT)
    return Outcome(reference, target, found, plain, unchanged, matched, words)


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Future[Outcome]]]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENBLAS_NUM_THREADS", "1")  # the matrices are small, and threads only wait for each other
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as engines:
            yield {name: engines.submit(_outcome, name) for name in REFERENCES}
            engines.shutdown(cancel_futures=True)


def _pitch_hz(sound: Floats) -> float:
    """Not as the product measures it: by WORLD's DIO, of what is within 20 dB of the loudest."""
    f0, times = pyworld.dio(np.ascontiguousarray(sound), RATE, f0_floor=60.0, f0_ceil=600.0, frame_period=10.0)
    at = (times * RATE).astype(int)
    energy = np.convolve(sound**2, np.hanning(RATE // 50), "same")[np.minimum(at, sound.size - 1)]
    return float(np.median(f0[(f0 > 0) & (energy > 0.01 * np.percentile(energy, 95))]))


def _thirds_db(sound: Floats) -> Floats:
    """Not as the product measures it: the spectrum of what is within 30 dB of the loudest, in thirds of an octave."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 2048)[::1024] * np.hanning(2048)
    power = np.abs(np.fft.rfft(frames)) ** 2
    speech = power.sum(axis=1) > 1e-3 * power.sum(axis=1).max()
    hertz = np.fft.rfftfreq(2048, 1.0 / RATE)
    centres = 125.0 * 2.0 ** (np.arange(19) / 3.0)
    bands = np.array(
        [
            power[speech][:, (hertz >= centre / 2 ** (1 / 6)) & (hertz < centre * 2 ** (1 / 6))].mean()
            for centre in centres
        ]
    )
    return np.asarray(np.maximum(10.0 * np.log10(bands / bands.sum() + 1e-12), -60.0))


@pytest.mark.parametrize("name", REFERENCES)
def test_a_voice_comes_near_its_reference(outcomes: dict[str, Future[Outcome]], name: str) -> None:
    outcome = outcomes[name].result(timeout=100)
    plain, matched = outcome.plain / 32768.0, outcome.matched / 32768.0

    wanted = _thirds_db(outcome.reference)
    before, after = (float(np.abs(_thirds_db(sound) - wanted).mean()) for sound in (plain, matched))
    assert after <= 0.5 * before, f"{before:.1f} to {after:.1f} dB"

    own = 12.0 * np.log2(measure(outcome.matched, RATE).median_f0_hz / outcome.target.median_f0_hz)
    assert abs(own) <= 0.5
    if name != "telephone":  # where DIO finds no fundamental
        assert abs(12.0 * np.log2(_pitch_hz(matched) / _pitch_hz(outcome.reference))) <= 0.5


@pytest.mark.parametrize("name", REFERENCES)
def test_the_report_tells_what_was_gained(outcomes: dict[str, Future[Outcome]], name: str) -> None:
    found = outcomes[name].result(timeout=100).match
    before, after = found.report["before"], found.report["after"]
    assert after["spectral_distance_db"] < before["spectral_distance_db"]
    assert after["pitch_error_semitones"] <= 0.5
    assert abs(np.log(after["speaking_rate_ratio"])) <= abs(np.log(before["speaking_rate_ratio"])) + 0.05
    assert ("envelope_warp" in found.report["steps"]) == (found.transform.envelope_warp != 1.0)
    assert ("spectral_transfer" in found.report["steps"]) == any(found.transform.transfer_db)
    assert ("pitch_map" in found.report["steps"]) == found.transform.maps_pitch
    stored = json.loads(json.dumps({"voice": found.settings.to_settings(), "transform": found.transform.to_dict()}))
    assert VoiceProfile.from_settings(stored["voice"]) == found.settings
    assert Transform.from_dict(stored["transform"]) == found.transform


@pytest.mark.parametrize("name", REFERENCES)
def test_words_stay_where_the_engine_says_they_are(outcomes: dict[str, Future[Outcome]], name: str) -> None:
    outcome = outcomes[name].result(timeout=100)
    assert outcome.matched.size == outcome.unchanged.size
    shifts = np.abs(_shifts_ms(outcome))
    assert np.median(shifts) <= 2.0
    assert np.percentile(shifts, 95) <= 10.0


@pytest.mark.parametrize("name", REFERENCES)
def test_what_follows_a_pause_begins_as_before(outcomes: dict[str, Future[Outcome]], name: str) -> None:
    outcome = outcomes[name].result(timeout=100)
    starts = [word.sample for word in outcome.words if _follows_pause(outcome.unchanged, word.sample)]
    assert len(starts) >= 3
    before, after = (np.array([_onset_ms(pcm, at) for at in starts]) for pcm in (outcome.unchanged, outcome.matched))
    assert np.median(np.abs(after - before)) <= 5.0


def _shifts_ms(outcome: Outcome) -> Floats:
    """By how much the rises and falls of energy around the start of each word have moved, by correlation in bands."""
    before, after = _changes(outcome.unchanged), _changes(outcome.matched)
    reach, most = 150, 60  # ms on both sides of the start, and of shifts
    found = []
    for word in outcome.words:
        middle = max(word.sample * 1000 // RATE, reach + most)
        near = before[middle - reach : middle + reach]
        lags = range(-most, min(most, len(after) - middle - reach) + 1)
        alike = [float((near * after[middle - reach + lag : middle + reach + lag]).sum()) for lag in lags]
        found.append(lags[int(np.argmax(alike))])
    return np.array(found, dtype=np.float64)


def _changes(pcm: NDArray[np.int16]) -> Floats:
    """How the level changes in each of five bands, every millisecond: (milliseconds, bands)."""
    at = np.minimum((np.arange(pcm.size * 1000 // RATE) * RATE) // 1000, pcm.size - 1)
    bands = []
    for low, high in ((200, 600), (600, 1200), (1200, 2400), (2400, 4000), (4000, 7000)):
        hertz = np.fft.rfftfreq(pcm.size, 1.0 / RATE)
        part = np.fft.irfft(np.fft.rfft(pcm) * ((hertz > low) & (hertz < high)), pcm.size)
        energy = np.convolve(part**2, np.hanning(RATE // 100), "same")[at]
        bands.append(np.gradient(10.0 * np.log10(energy + 1e-4 * energy.max())))
    return np.stack(bands, axis=1)


def _follows_pause(pcm: NDArray[np.int16], at: int) -> bool:
    """Whether the 30 ms before are silent."""
    before = pcm[max(0, at - int(0.03 * RATE)) : at]
    return bool(np.abs(before.astype(int)).max(initial=0) < 0.01 * np.abs(pcm.astype(int)).max())


def _onset_ms(pcm: NDArray[np.int16], at: int) -> float:
    """When the level first comes within 30 dB of the loudest, from the start of the word."""
    loud = np.abs(pcm.astype(int)) > 0.03 * np.abs(pcm.astype(int)).max()
    begin = max(0, at - RATE // 20)
    return (begin + int(loud[begin:].argmax()) - at) * 1000.0 / RATE
