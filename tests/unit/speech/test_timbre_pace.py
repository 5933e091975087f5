"""The rate, around an engine that is a formula: as it is heard when the spectrum is shaped."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from libs.speech.engine import VoiceProfile
from libs.speech.languages import profile_for_language
from libs.speech.timbre.frames import BAND_HZ
from libs.speech.timbre.loop import Loop
from libs.speech.timbre.match import match
from libs.speech.timbre.pace import USUAL_RATE, paced
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


def test_a_match_stays_where_nothing_is_heard_at_another_rate() -> None:
    def speak(settings: VoiceProfile, text: str) -> tuple[NDArray[np.int16], int]:
        pcm, rate = Droning().speak(settings, text)
        return (pcm if settings.rate == 140 else np.zeros_like(pcm)), rate

    loop = Loop(faster(), "en-US", speak)
    found = loop.judged(replace(PLAIN, rate=140), WITHOUT_DRONE)
    assert paced(loop, found) is found
