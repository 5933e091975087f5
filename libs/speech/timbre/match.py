"""An engine's settings and a transform that bring its speech as near to a voice as measuring can tell.

A closed loop: the engine speaks, what it spoke is measured, the next guess follows from the difference. What is fitted
on one text is judged on another, and a step that does not lessen the error there is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from libs.speech.engine import VoiceProfile
from libs.speech.languages import profile_for_language
from libs.speech.timbre.frames import BANDS, Floats
from libs.speech.timbre.loop import Attempt, Loop, Speak
from libs.speech.timbre.pace import RATES, USUAL_RATE, paced
from libs.speech.timbre.profile import (
    NoVoice,
    TimbreProfile,
    formant_distance,
    formant_shift,
    melody_error,
    pitch_error_semitones,
    rate_difference,
    spectral_difference_db,
    spectral_distance_db,
    unlikeness,
)
from libs.speech.timbre.transform import MOST_DB, Transform

VARIANTS: Mapping[str | None, float] = {
    None: 102.0, "m3": 105.0, "m4": 94.0, "Michael": 107.0, "victor": 95.0, "Andy": 96.0, "ed": 126.0,
    "Nguyen": 151.0, "f1": 180.0, "f2": 197.0, "f3": 212.0, "linda": 229.0, "Annie": 241.0, "Alicia": 251.0,
}  # fmt: skip
"""The variants that are tried, unlike in tract and register, and the median F0 in Hz of each at the usual pitch.

Measured with eSpeak NG 1.52 in American English; other languages differ by a semitone or two, which the loop takes in.
"""

_USUAL_PITCH, _USUAL_RANGE = 50, 50
_SEMITONES_A_STEP = 0.17  # of the pitch scale: 67 to 170 Hz over 0 to 99
_REACH = (-7.0, 8.5)  # semitones below and above its usual that a variant goes
_FINISHED = 2  # of the variants, the most promising,
_AS_PROMISING = 1.6  # as long as they are not that much more unlike than the best
_ROUNDS = 4
_HEARD_SEMITONES = 0.3  # less than this is not worth taking the speech apart for
_HEARD_SPREAD = 0.8
_LEAST_GAIN = 0.95  # an error has to fall to this share for a step to be kept
_LEAST_WARP = 0.015


@dataclass(frozen=True, slots=True)
class Match:
    """How to speak like a voice, and how near that comes.

    `report` is JSON-ready: `before` (the plain voice of the language) and `after`, each with
    `pitch_error_semitones`, `spectral_distance_db`, `formant_error_percent` and `speaking_rate_ratio` against the
    reference, and `steps`, the names of those that were kept.
    """

    settings: VoiceProfile
    transform: Transform
    report: dict[str, Any]  # JSON


def match(profile: TimbreProfile, language: str, speak: Speak) -> Match:
    """Find the settings and the transform for the voice that `profile` was measured of.

    `language` is a BCP-47 tag; `speak` is asked for some thirty-five texts of ten seconds, with profiles of the
    language's plain voice and the variants in `VARIANTS`. Takes ten seconds or so on one core, and gives the same for
    the same. Raises UnknownEngineVoice for a language that the engine does not speak, NoVoice if the engine speaks
    nothing that can be measured.
    """
    loop = Loop(profile, language, speak)
    plain = replace(profile_for_language(language), rate=USUAL_RATE, pitch=_USUAL_PITCH, pitch_range=_USUAL_RANGE)
    before = loop.judged(plain)
    nearest = sorted((_candidate(loop, plain, variant) for variant in VARIANTS), key=lambda pair: pair[0])
    promising = nearest[0][0] * _AS_PROMISING
    found = [_finished(loop, settings) for unlike, settings in nearest[:_FINISHED] if unlike <= promising]
    after, steps = min(found, key=lambda pair: unlikeness(pair[0].heard, profile))
    after = paced(loop, after)
    if after.settings.rate != USUAL_RATE:
        steps.append("rate")
    gain = float(np.clip(before.heard.loudness_dbfs - after.heard.loudness_dbfs, -24.0, 24.0))
    after = loop.judged(after.settings, replace(after.transform, gain_db=round(gain, 2)))
    report = {"before": _errors(before.heard, profile), "after": _errors(after.heard, profile), "steps": steps}
    return Match(after.settings, after.transform, report)


def _finished(loop: Loop, settings: VoiceProfile) -> tuple[Attempt, list[str]]:
    """What comes of one variant when everything that helps is done, and what that was."""
    settings, steps = _settle(loop, settings)
    transform = _map_pitch(loop, settings, steps)
    transform = _shape(loop, settings, transform, steps)
    return loop.judged(settings, transform), steps


def _errors(heard: TimbreProfile, target: TimbreProfile) -> dict[str, float]:
    return {
        "pitch_error_semitones": round(abs(pitch_error_semitones(heard, target)), 2),
        "spectral_distance_db": round(spectral_distance_db(heard, target), 2),
        "formant_error_percent": round(100.0 * formant_distance(heard, target), 1),
        "speaking_rate_ratio": round(heard.syllables_per_second / max(target.syllables_per_second, 0.1), 2),
    }


def _settle(loop: Loop, variant: VoiceProfile) -> tuple[VoiceProfile, list[str]]:
    """The engine's own settings that bring a variant nearest, and which of them helped; the rate is judged later."""
    settings, steps = _tune(loop, variant), ["variant"] if variant.variant else []
    usual = replace(settings, pitch=_USUAL_PITCH, pitch_range=_USUAL_RANGE)
    if melody_error(loop.judged(settings).heard, loop.target) < melody_error(loop.judged(usual).heard, loop.target):
        steps.append("pitch")
    else:
        settings = usual
    return settings, steps


def _candidate(loop: Loop, plain: VoiceProfile, variant: str | None) -> tuple[float, VoiceProfile]:
    """How unlike a variant is at the pitch that it needs, and the settings for that."""
    wanted = 12.0 * np.log2(loop.target.median_f0_hz / VARIANTS[variant])
    pitch = int(np.clip(round(_USUAL_PITCH + wanted / _SEMITONES_A_STEP), 0, 99))
    settings = replace(plain, variant=variant, pitch=pitch)
    try:
        heard = loop.fitted(settings).heard
    except NoVoice:
        return np.inf, plain
    out_of_reach = max(_REACH[0] - wanted, wanted - _REACH[1], 0.0)
    unlike = spectral_distance_db(heard, loop.target) / 6.0 + 6.0 * formant_distance(heard, loop.target)
    return unlike + 0.25 * out_of_reach, settings


def _tune(loop: Loop, settings: VoiceProfile) -> VoiceProfile:
    """Pitch, its range and the rate, each moved by what is missing; the best of some rounds."""
    best, least = settings, np.inf
    for _ in range(_ROUNDS):
        attempt = loop.fitted(settings)
        error = pitch_error_semitones(attempt.heard, loop.target)
        unlike = melody_error(attempt.heard, loop.target) + abs(rate_difference(attempt.heard, loop.target))
        if unlike < least:
            best, least = settings, unlike
        spread = loop.target.f0_spread_semitones / max(attempt.heard.f0_spread_semitones, 0.1)
        tempo = float(np.exp(-rate_difference(attempt.heard, loop.target)))
        settings = replace(
            settings,
            pitch=int(np.clip(round((settings.pitch or 0) - error / _SEMITONES_A_STEP), 0, 99)),
            pitch_range=int(np.clip(round((settings.pitch_range or 1) * np.clip(spread, 0.5, 2.0)), 5, 99)),
            rate=int(np.clip(round((settings.rate or USUAL_RATE) * np.clip(tempo, 0.6, 1.7)), *RATES)),
        )
    return best


def _map_pitch(loop: Loop, settings: VoiceProfile, steps: list[str]) -> Transform:
    """The F0 map for what the engine's own pitch cannot reach."""
    fitted, judged = loop.fitted(settings).heard, loop.judged(settings).heard
    plain = Transform(pitch_pivot_hz=round(float(np.clip(fitted.median_f0_hz, 50.0, 600.0)), 2))
    missing = -pitch_error_semitones(fitted, loop.target)
    spread = loop.target.f0_spread_semitones / max(fitted.f0_spread_semitones, 0.1)
    too_flat = abs(loop.target.f0_spread_semitones - fitted.f0_spread_semitones) > _HEARD_SPREAD
    if abs(missing) < _HEARD_SEMITONES and not too_flat:
        return plain
    mapped = replace(
        plain,
        pitch_shift_semitones=round(float(np.clip(missing, -24.0, 24.0)), 3),
        pitch_scale=round(float(np.clip(spread, 0.5, 2.0)), 3) if too_flat else 1.0,
    )
    after = loop.judged(settings, mapped).heard
    if melody_error(after, loop.target) > _LEAST_GAIN * melody_error(judged, loop.target):
        return plain
    steps.append("pitch_map")
    return mapped


def _shape(loop: Loop, settings: VoiceProfile, transform: Transform, steps: list[str]) -> Transform:
    """The envelope warp and the transfer curve, each kept where it helps."""
    before = loop.judged(settings, transform)
    curved = _transfer(loop, settings, transform)
    after = loop.judged(settings, curved)
    best, least = transform, before
    if _distance(loop, after) < _LEAST_GAIN * _distance(loop, before):
        best, least = curved, after
    warp = _warp(loop, settings, transform)
    if warp != 1.0:
        warped = _transfer(loop, settings, replace(transform, envelope_warp=warp))
        after = loop.judged(settings, warped)
        nearer = formant_distance(after.heard, loop.target) < _LEAST_GAIN * formant_distance(least.heard, loop.target)
        if nearer and _distance(loop, after) < _distance(loop, least) / _LEAST_GAIN:
            best = warped
            steps.append("envelope_warp")
    if any(best.transfer_db):
        steps.append("spectral_transfer")
    return best


def _distance(loop: Loop, attempt: Attempt) -> float:
    return spectral_distance_db(attempt.heard, loop.target)


def _warp(loop: Loop, settings: VoiceProfile, transform: Transform) -> float:
    """The factor that brings the formants nearest, from two rounds; 1 where there is next to nothing to bring."""
    warp = 1.0
    for _ in range(2):
        heard = loop.fitted(settings, replace(transform, envelope_warp=warp)).heard
        # F1 follows the pitch in high voices, so it says least about the tract.
        warp *= float(np.exp(np.median(formant_shift(loop.target, heard)[1:])))
        warp = round(float(np.clip(warp, 0.75, 1.33)), 3)
    return warp if abs(warp - 1.0) > _LEAST_WARP else 1.0


def _transfer(loop: Loop, settings: VoiceProfile, transform: Transform) -> Transform:
    """With the curve whose speech has the reference's long-term spectrum."""
    best, least, curve = transform, np.inf, np.zeros(BANDS)
    for _ in range(_ROUNDS):
        tried = replace(transform, transfer_db=tuple(np.round(curve, 2).tolist()))
        attempt = loop.fitted(settings, tried)
        if _distance(loop, attempt) >= least:
            break
        best, least = tried, _distance(loop, attempt)
        missing = spectral_difference_db(loop.target, attempt.heard)
        curve = np.clip(curve + _smoothed(missing), -MOST_DB, MOST_DB)
    return best


def _smoothed(decibels: Floats) -> Floats:
    return np.convolve(np.pad(decibels, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
