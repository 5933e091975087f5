"""The loop, around an engine that is a formula: its pitch, its tract and its colour follow from the settings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from libs.speech.engine import UnknownEngineVoice, VoiceProfile
from libs.speech.languages import profile_for_language
from libs.speech.timbre.calibration import calibration
from libs.speech.timbre.match import VARIANTS, Match, match
from libs.speech.timbre.profile import NoVoice, TimbreProfile, measure
from libs.speech.timbre.transform import apply

RATE = 22050
SECONDS = 3.0
VOWELS_HZ = ((700.0, 1200.0, 2500.0, 3500.0), (350.0, 2100.0, 2800.0, 3600.0), (450.0, 900.0, 2400.0, 3400.0))


def voice(
    f0_hz: float, tract: float, *, spread: float = 2.0, tempo: float = 4.0, tilt: float = 0.0
) -> NDArray[np.int16]:
    """Pulses through the formants of three vowels by turns; `tilt` in dB an octave."""
    time = np.arange(int(SECONDS * RATE)) / RATE
    f0 = f0_hz * 2.0 ** (spread * np.sin(2.0 * np.pi * time / 0.6) / 12.0)
    pulses = np.diff(np.floor(np.cumsum(f0 / RATE)), prepend=0.0)
    hertz = np.maximum(np.fft.rfftfreq(time.size, 1.0 / RATE), 20.0)
    sound = np.zeros(time.size)
    for number, formants in enumerate(VOWELS_HZ):
        response = 1.0 / (1.0 + 1j * hertz / 300.0)
        for formant, width in zip(formants, (80.0, 100.0, 140.0, 200.0), strict=True):
            centre = formant * tract
            response = response * centre**2 / (centre**2 - hertz**2 + 1j * hertz * width)
        turn = (time * tempo).astype(int) % len(VOWELS_HZ) == number
        sound += np.fft.irfft(np.fft.rfft(pulses * turn) * response * (hertz / 1000.0) ** (tilt / 6.02), time.size)
    sound *= np.sin(np.pi * time * tempo) ** 2
    return np.asarray(np.rint(sound / np.abs(sound).max() * 16000.0).astype(np.int16))


@dataclass
class Formula:
    """An engine; without a `melody` it speaks at the pitch of its plain voice whatever it is asked for."""

    melody: bool = True
    asked: int = 0

    def speak(self, settings: VoiceProfile, text: str) -> tuple[NDArray[np.int16], int]:
        self.asked += 1
        usual = VARIANTS[settings.variant]
        wanted = usual * 2.0 ** (0.17 * ((settings.pitch or 50) - 50) / 12.0)
        sound = voice(
            wanted if self.melody else 102.0,
            1.0 + 0.15 * np.log2(usual / 102.0),
            spread=(settings.pitch_range or 50) / 25.0,
            tempo=4.0 * (settings.rate or 175) / 175.0 * (1.0 if text == calibration("en").fitting else 1.05),
        )
        return sound, RATE


def heard(found: Match, engine: Formula) -> TimbreProfile:
    pcm, rate = engine.speak(found.settings, "something else")
    return measure(apply(pcm, rate, found.transform), rate)


@pytest.mark.parametrize("f0_hz", [85.0, 190.0, 400.0])
def test_it_comes_near_and_says_so(f0_hz: float) -> None:
    target = measure(voice(f0_hz, 1.1, tilt=4.0), RATE)
    engine = Formula()
    found = match(target, "en-US", engine.speak)
    before, after = found.report["before"], found.report["after"]
    assert after["pitch_error_semitones"] <= 0.3
    assert after["spectral_distance_db"] <= 0.5 * before["spectral_distance_db"]
    assert abs(12.0 * np.log2(heard(found, engine).median_f0_hz / target.median_f0_hz)) <= 0.5
    assert "spectral_transfer" in found.report["steps"]
    assert engine.asked < 60


def test_it_finds_the_same_again() -> None:
    target = measure(voice(240.0, 1.2), RATE)
    assert match(target, "en-US", Formula().speak) == match(target, "en-US", Formula().speak)


def test_the_engine_s_own_voice_is_left_alone() -> None:
    plain = replace(profile_for_language("en-US"), rate=175, pitch=50, pitch_range=50)
    target = measure(Formula().speak(plain, calibration("en").judging)[0], RATE)
    found = match(target, "en-US", Formula().speak)
    assert found.settings.variant is None
    assert not found.transform.maps_pitch
    assert found.transform.envelope_warp == 1.0
    assert found.report["after"]["spectral_distance_db"] < 0.7


def test_what_the_engine_ignores_is_no_step_and_left_to_the_map() -> None:
    target = measure(voice(180.0, 1.0), RATE)
    found = match(target, "en-US", Formula(melody=False).speak)
    assert "pitch" not in found.report["steps"]
    assert found.settings.pitch == 50
    assert "pitch_map" in found.report["steps"]
    assert found.transform.maps_pitch
    assert found.report["after"]["pitch_error_semitones"] <= 0.5


def test_loudness_stays_that_of_the_plain_voice() -> None:
    engine = Formula()
    plain = measure(engine.speak(profile_for_language("en-US"), "")[0], RATE)
    found = match(measure(voice(240.0, 1.2), RATE), "en-US", engine.speak)
    assert abs(found.transform.gain_db) > 2.0
    assert heard(found, engine).loudness_dbfs == pytest.approx(plain.loudness_dbfs, abs=1.0)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UnknownEngineVoice):
        match(measure(voice(120.0, 1.0), RATE), "tlh", Formula().speak)


def test_an_engine_that_says_nothing_is_refused() -> None:
    with pytest.raises(NoVoice):
        match(measure(voice(120.0, 1.0), RATE), "en-US", lambda _settings, _text: (np.zeros(RATE * 3, np.int16), RATE))
