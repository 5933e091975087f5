"""What is measured of samples, against signals whose values are known."""

from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from libs.audio import measuring
from libs.audio.speech_detector import FRAME, speech_frames

Samples = NDArray[np.float32]


def tone(hertz: float, level: float, seconds: float, sample_rate: int) -> Samples:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * sample_rate)) / sample_rate)).astype(np.float32)


def noise(level: float, samples: int) -> Samples:
    return (level * np.random.default_rng(1).standard_normal(samples)).astype(np.float32)


def test_levels_of_a_sine() -> None:
    levels = measuring.Levels()
    for part in np.array_split(tone(441, 0.5, 1, 44_100), 7):
        levels.feed(part[None])
    assert levels.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert levels.rms_dbfs == pytest.approx(-9.03, abs=0.01)
    assert levels.clipped_share == 0


def test_the_share_of_clipped_samples() -> None:
    levels = measuring.Levels()
    levels.feed(np.array([[1.0, -1.0, 0.5, 0.0]], np.float32))
    assert levels.clipped_share == 0.5


def test_silence_has_no_infinity() -> None:
    levels = measuring.Levels()
    levels.feed(np.zeros((2, 100), np.float32))
    assert levels.peak_dbfs == levels.rms_dbfs == measuring.FLOOR_DB


def loudness(samples: Samples, sample_rate: int) -> float | None:
    meter = measuring.Loudness(sample_rate, "mono" if len(samples) == 1 else "stereo")
    for part in np.array_split(samples, 9, axis=1):
        block = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(part), "fltp", "mono" if len(samples) == 1 else "stereo"
        )
        block.sample_rate = sample_rate
        meter.feed(block)
    return meter.finish()


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 48_000])
def test_the_loudness_of_bs_1770s_own_example(sample_rate: int) -> None:
    # A full-scale sine of 997 Hz on one channel reads -3.01 LKFS (annex 1 of the recommendation).
    assert loudness(tone(997, 1.0, 5.03, sample_rate)[None], sample_rate) == pytest.approx(-3.01, abs=0.1)


def test_both_channels_count() -> None:
    both = np.stack([tone(997, 0.1, 5, 48_000)] * 2)
    assert loudness(both, 48_000) == pytest.approx(-20.0, abs=0.1)


def test_silence_has_no_loudness() -> None:
    assert loudness(np.zeros((1, 48_000), np.float32), 48_000) is None


@pytest.mark.parametrize(("hertz", "sample_rate"), [(3_400, 48_000), (3_400, 8_000), (7_000, 16_000), (12_000, 44_100)])
def test_the_spectrum_ends_where_the_sound_does(hertz: int, sample_rate: int) -> None:
    spectrum = np.fft.rfft(noise(0.1, 4 * sample_rate))
    spectrum[4 * hertz :] = 0
    meter = measuring.Bandwidth(sample_rate)
    meter.feed(np.fft.irfft(spectrum).astype(np.float32)[None])
    assert meter.hertz == pytest.approx(hertz, abs=150)


def test_silence_has_no_spectrum() -> None:
    meter = measuring.Bandwidth(16_000)
    meter.feed(np.zeros((1, 16_000), np.float32))
    assert meter.hertz == 0


def test_silence_at_both_ends() -> None:
    sound = np.concatenate([np.zeros(8_000), noise(0.1, 16_000), np.zeros(4_000)]).astype(np.float32)
    assert measuring.silence(sound) == pytest.approx((0.5, 0.25), abs=0.011)
    assert measuring.silence(np.zeros(16_000, np.float32)) == (1.0, 0.0)


@pytest.mark.parametrize("snr", [0, 10, 30, 60])
def test_speech_against_the_pauses(snr: int) -> None:
    likely = np.repeat(np.array([0, 1, 0], np.float32), 50)
    samples = noise(0.1 * 10 ** (-snr / 20), len(likely) * FRAME)
    samples[50 * FRAME : 100 * FRAME] += tone(1_000, 0.1 * 2**0.5, 50 * FRAME / 16_000, 16_000)
    assert measuring.signal_to_noise(samples, likely) == pytest.approx(snr, abs=0.5)


def test_without_a_pause_or_without_speech_nothing_is_said() -> None:
    samples = noise(0.1, 100 * FRAME)
    assert measuring.signal_to_noise(samples, np.ones(100, np.float32)) is None
    assert measuring.signal_to_noise(samples, np.zeros(100, np.float32)) is None
    assert measuring.signal_to_noise(samples[:0], np.zeros(0, np.float32)) is None


def test_digital_silence_in_the_pauses_is_no_infinity() -> None:
    samples = np.concatenate([noise(0.1, 50 * FRAME), np.zeros(50 * FRAME, np.float32)])
    assert measuring.signal_to_noise(samples, np.repeat(np.array([1, 0], np.float32), 50)) == 80


def test_short_pauses_belong_to_speech_and_clicks_do_not() -> None:
    runs = [(0, 20), (1, 10), (0, 5), (1, 10), (0, 30), (1, 3), (0, 20)]
    likely = np.concatenate([np.full(length, value, np.float32) for value, length in runs])
    assert np.flatnonzero(speech_frames(likely)).tolist() == list(range(20, 45))


def test_no_audio_has_no_speech() -> None:
    assert len(speech_frames(np.zeros(0, np.float32))) == 0
