"""The rate, set when the rest is: a shaped spectrum changes how fast speech is heard to be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from libs.speech.timbre.loop import Attempt, Loop
from libs.speech.timbre.profile import NoVoice, rate_difference, unlikeness

RATES = (90, 360)
"""The slowest and the fastest rate that a voice is given, in words a minute."""

USUAL_RATE = 175
"""What the engine speaks by itself, in words a minute."""

_RATE_WEIGHT = 10.0  # a rate 10 % off counts as much as a semitone
_LEAST_GAIN = 0.95  # to this share the unlikeness has to fall for another rate than the usual one


@dataclass(frozen=True, slots=True)
class _Pace:
    """What is heard at a rate; `difference` is the logarithm of the rate heard over the one that is wanted."""

    rate: int
    judged: Attempt
    difference: float
    unlikeness: float


def paced(loop: Loop, found: Attempt) -> Attempt:
    """The same at the rate that comes nearest: its own, the engine's usual, or one that follows from what is heard.

    Syllables are heard by their peaks of energy, and those depend on the spectrum: what was the right rate for the
    engine alone may be off by a tenth when its speech is shaped. Whether another rate helps is judged by everything
    that it may change. Where too little of a voice is heard at one of them, what was found stays.
    """
    try:
        return _nearest(loop, found)
    except NoVoice:
        return found


def _nearest(loop: Loop, found: Attempt) -> Attempt:
    usual = _pace(loop, found, USUAL_RATE)
    own = _pace(loop, found, found.settings.rate or USUAL_RATE)
    nearer = min(usual, own, key=lambda pace: pace.unlikeness)
    wanted = round(nearer.rate * float(np.exp(-nearer.difference)))
    corrected = _pace(loop, found, int(np.clip(wanted, *RATES)))
    best = min(own, corrected, key=lambda pace: pace.unlikeness)
    return (best if best.unlikeness < _LEAST_GAIN * usual.unlikeness else usual).judged


def _pace(loop: Loop, found: Attempt, rate: int) -> _Pace:
    # Ten seconds tell a rate within a few percent only, so both texts are listened to.
    settings = replace(found.settings, rate=rate)
    judged, fitted = loop.judged(settings, found.transform), loop.fitted(settings, found.transform)
    differences = [rate_difference(attempt.heard, loop.target) for attempt in (judged, fitted)]
    error = float(np.sqrt(np.mean(np.square(differences))))
    unlike = unlikeness(judged.heard, loop.target) + _RATE_WEIGHT * error
    return _Pace(rate, judged, float(np.mean(differences)), unlike)
