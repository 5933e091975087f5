from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from libs.speech.timbre.frames import resample
from libs.speech.timbre.profile import (
    NoVoice,
    TimbreProfile,
    measure,
    pitch_error_semitones,
    spectral_distance_db,
)

RATE = 22050


def voice(f0_hz: float, *, seconds: float = 4.5, rate: int = RATE, swing: float = 2.0) -> NDArray[np.float64]:
    """Harmonics that fall by 12 dB an octave, in syllables of a quarter of a second, gliding by `swing` semitones."""
    time = np.arange(int(seconds * rate)) / rate
    f0 = f0_hz * 2.0 ** (swing * np.sin(2.0 * np.pi * time / 0.9) / 12.0)
    phase = 2.0 * np.pi * np.cumsum(f0) / rate
    harmonics = sum(np.sin(number * phase) / number**2 for number in range(1, int(5000 / f0_hz)))
    return np.asarray(0.1 * harmonics * np.sin(np.pi * time / 0.25) ** 2)


@pytest.mark.parametrize("f0_hz", [80, 120, 180, 260, 400])
def test_pitch_is_measured_within_a_tenth_of_a_semitone(f0_hz: int) -> None:
    profile = measure(voice(f0_hz), RATE)
    assert abs(12.0 * np.log2(profile.median_f0_hz / f0_hz)) < 0.1
    assert profile.f0_spread_semitones == pytest.approx(2.0 * np.sin(0.34 * np.pi), abs=0.25)


@pytest.mark.parametrize("f0_hz", [110, 210, 330])
def test_pitch_survives_the_telephone(f0_hz: int) -> None:
    sound = voice(f0_hz)
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(sound.size, 1.0 / RATE)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0.0
    profile = measure(np.fft.irfft(spectrum, sound.size), RATE)
    assert abs(12.0 * np.log2(profile.median_f0_hz / f0_hz)) < 0.3


def test_syllables_are_counted() -> None:
    assert measure(voice(120), RATE).syllables_per_second == pytest.approx(4.0, rel=0.25)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_the_sample_rate_of_the_recording_does_not_matter(rate: int) -> None:
    one, other = measure(voice(150), RATE), measure(voice(150, rate=rate), rate)
    assert abs(pitch_error_semitones(one, other)) < 0.05
    assert spectral_distance_db(one, other) < 0.5


def test_a_resampled_voice_has_other_formants_and_pitch() -> None:
    sound = voice(120)
    shorter = measure(resample(sound, RATE, int(RATE / 1.2)), RATE)
    assert pitch_error_semitones(shorter, measure(sound, RATE)) == pytest.approx(12.0 * np.log2(1.2), abs=0.1)


def test_loudness_does_not_count_as_difference() -> None:
    loud, soft = measure(voice(120), RATE), measure(voice(120) * 0.1, RATE)
    assert spectral_distance_db(loud, soft) < 0.01
    assert loud.loudness_dbfs - soft.loudness_dbfs == pytest.approx(20.0, abs=0.1)


def test_integers_and_floats_of_the_same_sound_measure_the_same() -> None:
    sound = voice(120)
    integers = np.rint(sound * 32768.0).astype(np.int16)
    assert spectral_distance_db(measure(sound, RATE), measure(integers, RATE)) < 0.2


def test_only_the_first_minute_is_measured() -> None:
    lone = measure(voice(120, seconds=60.0), RATE)
    followed = measure(np.concatenate([voice(120, seconds=60.0), voice(300, seconds=30.0)]), RATE)
    assert followed == lone


def test_a_profile_survives_json_and_is_small() -> None:
    profile = measure(voice(120), RATE)
    written = json.dumps(profile.to_dict())
    assert len(written) < 4096
    read = TimbreProfile.from_dict(json.loads(written))
    assert read.to_dict() == profile.to_dict()
    assert spectral_distance_db(read, profile) < 0.01


@pytest.mark.parametrize("damage", ["unknown", "missing", "bands", "word"])
def test_a_damaged_profile_is_refused(damage: str) -> None:
    fields = measure(voice(120), RATE).to_dict()
    match damage:
        case "unknown":
            fields["colour"] = 1.0
        case "missing":
            del fields["median_f0_hz"]
        case "bands":
            fields["spectrum_db"] = [0.0]
        case _:
            fields["loudness_dbfs"] = "loud"  # type: ignore[assignment]  # that is the damage
    with pytest.raises((TypeError, ValueError)):
        TimbreProfile.from_dict(fields)


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(np.zeros(0), id="empty"),
        pytest.param(np.zeros(RATE // 2), id="short"),
        pytest.param(np.zeros(5 * RATE), id="silent"),
        pytest.param(np.random.default_rng(1).standard_normal(5 * RATE) * 0.1, id="noise"),
        pytest.param(np.full(5 * RATE, np.nan), id="no numbers"),
        pytest.param(np.ones(5 * RATE), id="constant"),
    ],
)
def test_what_is_no_voice_is_refused(sound: NDArray[np.float64]) -> None:
    with pytest.raises(NoVoice):
        measure(sound, RATE)


def test_stereo_is_refused() -> None:
    with pytest.raises(ValueError, match="mono"):
        measure(np.zeros((RATE, 2)), RATE)
