"""Speaks, changes and measures: what settings and a transform give on a text to fit to, and on one to judge by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from libs.speech.engine import VoiceProfile
from libs.speech.timbre.calibration import calibration
from libs.speech.timbre.frames import BANDS
from libs.speech.timbre.profile import TimbreProfile, measure
from libs.speech.timbre.transform import Transform, apply

Speak = Callable[[VoiceProfile, str], tuple[NDArray[np.int16], int]]
"""Speaks a text as a voice profile says: mono samples and their rate in Hz."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Settings and a transform, with what was measured of the speech that they give."""

    settings: VoiceProfile
    transform: Transform
    heard: TimbreProfile


class Loop:
    """Speaks, changes and measures; one reference, one language."""

    def __init__(self, target: TimbreProfile, language: str, speak: Speak) -> None:
        self.target = target
        self._texts = calibration(language)
        self._speak = speak
        self._attempts: dict[tuple[VoiceProfile, Transform, str], Attempt] = {}
        self._spoken: dict[tuple[VoiceProfile, Transform, str], tuple[NDArray[np.int16], int]] = {}

    def fitted(self, settings: VoiceProfile, transform: Transform | None = None) -> Attempt:
        """Measured on the text that may be fitted to."""
        return self._attempt(settings, transform or Transform(), self._texts.fitting)

    def judged(self, settings: VoiceProfile, transform: Transform | None = None) -> Attempt:
        """Measured on the text that only judges."""
        return self._attempt(settings, transform or Transform(), self._texts.judging)

    def _attempt(self, settings: VoiceProfile, transform: Transform, text: str) -> Attempt:
        if (settings, transform, text) not in self._attempts:
            self._attempts[settings, transform, text] = self._heard(settings, transform, text)
        return self._attempts[settings, transform, text]

    def _heard(self, settings: VoiceProfile, transform: Transform, text: str) -> Attempt:
        # Taking speech apart for its pitch is what takes the time, and it does not depend on what follows.
        melody = replace(transform, envelope_warp=1.0, transfer_db=(0.0,) * BANDS, gain_db=0.0)
        pcm, rate = self._sung(settings, melody, text)
        pivot = melody.pitch_pivot_hz * 2.0 ** (melody.pitch_shift_semitones / 12.0)
        rest = replace(transform, pitch_pivot_hz=pivot, pitch_shift_semitones=0.0, pitch_scale=1.0)
        return Attempt(settings, transform, measure(apply(pcm, rate, rest), rate))

    def _sung(self, settings: VoiceProfile, melody: Transform, text: str) -> tuple[NDArray[np.int16], int]:
        """What was spoken, with its pitch mapped."""
        if (settings, melody, text) not in self._spoken:
            if melody.maps_pitch:
                pcm, rate = self._sung(settings, Transform(melody.pitch_pivot_hz), text)
                self._spoken[settings, melody, text] = apply(pcm, rate, melody), rate
            else:
                self._spoken[settings, melody, text] = self._speak(settings, text)
        return self._spoken[settings, melody, text]
