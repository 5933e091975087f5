"""What is set last, around an engine that is a formula: rate and loudness as they are heard when the rest is done."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from libs.speech.engine import VoiceProfile
from libs.speech.languages import profile_for_language
from libs.speech.timbre.finish import USUAL_RATE, as_loud, paced
from libs.speech.timbre.frames import BAND_HZ, BANDS
from libs.speech.timbre.loop import Loop
from libs.speech.timbre.match import match
from libs.speech.timbre.profile import TimbreProfile, measure, rate_difference
from libs.speech.timbre.transform import MOST_DB, Transform, apply
from tests.unit.speech.test_timbre_match import RATE, voice

PLAIN = replace(profile_for_language("en-US"), rate=USUAL_RATE, pitch=50, pitch_range=50)
WITHOUT_DRONE = Transform(transfer_db=tuple(np.where(BAND_HZ < 900.0, -MOST_DB, 0.0).tolist()))


@dataclass
class Droning:
    """An engine that hums below its syllables, so that most of them are heard only when the spectrum is shaped."""

    obeys: bool = True

    def speak(self, settings: VoiceProfile, _text: str) -> tuple[NDArray[np.int16], int]:
        tempo = 4.0 * (settings.rate or USUAL_RATE) / USUAL_RATE if self.obeys else 4.0
        sound = 0.5 * voice(110.0, 1.0, tempo=tempo, tilt=6.0)
        hertz = np.fft.rfftfreq(sound.size, 1.0 / RATE)
        pulses = np.diff(np.floor(np.arange(sound.size) * 110.0 / RATE), prepend=0.0)
        drone = np.fft.irfft(np.fft.rfft(pulses) * (hertz < 800.0), sound.size)
        return np.rint(sound + 6000.0 * drone / np.abs(drone).max()).astype(np.int16), RATE


def faster() -> TimbreProfile:
    """A voice with five syllables a second, where the engine speaks four."""
    pcm, rate = Droning().speak(replace(PLAIN, rate=USUAL_RATE * 5 // 4), "")
    return measure(apply(pcm, rate, WITHOUT_DRONE), rate)


def test_the_rate_is_right_for_speech_as_it_is_shaped() -> None:
    found = match(faster(), "en-US", Droning().speak)
    assert found.report["before"]["speaking_rate_ratio"] < 0.5
    assert found.report["after"]["speaking_rate_ratio"] == pytest.approx(1.0, abs=0.08)  # a syllable of fifteen
    assert found.settings.rate == pytest.approx(USUAL_RATE * 5.0 / 4.0, rel=0.08)
    assert "rate" in found.report["steps"]


@pytest.mark.parametrize("own", [120, USUAL_RATE, 300])
def test_a_wrong_rate_is_corrected_from_what_is_heard(own: int) -> None:
    loop = Loop(faster(), "en-US", Droning().speak)
    found = paced(loop, loop.judged(replace(PLAIN, rate=own), WITHOUT_DRONE))
    assert abs(rate_difference(found.heard, loop.target)) <= 0.08
    assert found.transform == WITHOUT_DRONE


def test_a_rate_that_changes_nothing_is_left_as_the_engine_has_it() -> None:
    loop = Loop(faster(), "en-US", Droning(obeys=False).speak)
    found = paced(loop, loop.judged(replace(PLAIN, rate=140), WITHOUT_DRONE))
    assert found.settings.rate == USUAL_RATE


@dataclass
class Shouting:
    """An engine whose variants fill the whole range, so that raising anything makes the limiter work."""

    def speak(self, settings: VoiceProfile, _text: str) -> tuple[NDArray[np.int16], int]:
        sound = voice(110.0, 1.0).astype(np.float64)
        peak = 6000.0 if settings.variant is None else 26000.0
        return np.rint(sound / np.abs(sound).max() * peak).astype(np.int16), RATE


def test_what_the_limiter_gives_back_is_taken_off_again() -> None:
    loop = Loop(faster(), "en-US", Shouting().speak)
    plain = loop.judged(PLAIN)
    found = loop.judged(replace(PLAIN, variant="m3"), Transform(transfer_db=(6.0,) * BANDS))
    at_once = plain.heard.loudness_dbfs - found.heard.loudness_dbfs
    again = loop.judged(found.settings, replace(found.transform, gain_db=round(at_once, 2)))
    assert again.heard.loudness_dbfs - plain.heard.loudness_dbfs > 1.0
    assert as_loud(loop, found, plain).heard.loudness_dbfs == pytest.approx(plain.heard.loudness_dbfs, abs=0.2)
