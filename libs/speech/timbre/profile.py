"""What a voice sounds like, in about fifty numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from libs.speech.timbre import formants, pitch
from libs.speech.timbre.frames import ANALYSIS_RATE, BAND_HZ, BANDS, Floats, band_weights, framed, resample, to_floats

LONGEST_SECONDS = 60.0
"""How much of a recording is measured, from its start: bounds the time at about a second."""

SHORTEST_SECONDS = 1.0
"""Less tells nothing about a voice."""

FLOOR_DB = -60.0
"""Bands further below the whole are as good as silent."""

_FFT, _HOP = 1024, 512
_SPEECH_DB = 30.0
_PEAK_DB = 25.0
_DIP_DB = 2.5


class NoVoice(ValueError):
    """The recording holds no voice that could be measured; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class TimbreProfile:
    """The measured features of a voice.

    `median_f0_hz` and `f0_spread_semitones` (half the distance of the 16th and the 84th percentile) are of the voiced
    frames, `syllables_per_second` counts peaks of energy a second of speech without pauses. `spectrum_db` is the mean
    power of the speech frames in mel bands (centres: `frames.BAND_HZ`), relative to the sum of all bands, at least
    `FLOOR_DB`; it means something below `bandwidth_hz` only. `formants_hz` are the medians of F1-F4, or empty where too
    few were found. `loudness_dbfs` is the mean power of the speech frames.
    """

    median_f0_hz: float
    f0_spread_semitones: float
    syllables_per_second: float
    spectrum_db: tuple[float, ...]
    bandwidth_hz: float
    formants_hz: tuple[float, ...]
    loudness_dbfs: float
    voiced_share: float
    speech_seconds: float

    def __post_init__(self) -> None:
        if len(self.spectrum_db) != BANDS:
            raise ValueError(f"the spectrum has {len(self.spectrum_db)} bands; it must have {BANDS}")
        if len(self.formants_hz) not in (0, formants.FORMANTS):
            raise ValueError(f"there are {len(self.formants_hz)} formants; there must be {formants.FORMANTS} or none")

    def to_dict(self) -> dict[str, float | list[float]]:
        """JSON-ready, under 1 KB."""
        return {
            name: [round(item, 2) for item in value] if isinstance(value, tuple) else round(value, 4)
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:  # JSON: checked field by field here
        """What `to_dict` wrote. Raises TypeError for unknown or missing fields, ValueError for a wrong number."""
        plain = {
            name: tuple(float(item) for item in value) if isinstance(value, list | tuple) else float(value)
            for name, value in fields.items()
        }
        return cls(**plain)  # type: ignore[arg-type]  # each field is one of the two, and __post_init__ looks


def measure(pcm: NDArray[np.generic], sample_rate: int) -> TimbreProfile:
    """Measure a mono recording: integers of any width, or floats in -1..1.

    Takes about a second for a minute of audio. Raises NoVoice where the recording is too short, silent or voiceless.
    """
    samples = to_floats(pcm[: int(LONGEST_SECONDS * sample_rate)])
    if samples.size < SHORTEST_SECONDS * sample_rate:
        raise NoVoice(f"{samples.size / sample_rate:.1f} s of audio; at least {SHORTEST_SECONDS:.0f} s are needed")
    samples = resample(samples, sample_rate, ANALYSIS_RATE)
    f0 = pitch.track(samples)
    voiced = f0[f0 > 0]
    if np.abs(samples).max() < 1e-4 or voiced.size * 0.01 < 0.3 * SHORTEST_SECONDS:
        raise NoVoice(f"{voiced.size * 0.01:.1f} s of voiced sound: the recording is silent or not of a voice")
    semitones = 12.0 * np.log2(voiced)
    low, middle, high = np.percentile(semitones, [16, 50, 84])
    spectrum, loudness, speech_seconds = _spectrum(samples)
    syllables = _syllables_per_second(samples)
    return TimbreProfile(
        median_f0_hz=float(2.0 ** (middle / 12.0)),
        f0_spread_semitones=float(high - low) / 2.0,
        syllables_per_second=syllables,
        spectrum_db=tuple(float(value) for value in spectrum),
        bandwidth_hz=0.5 * min(sample_rate, ANALYSIS_RATE),
        formants_hz=formants.measure(samples, f0),
        loudness_dbfs=loudness,
        voiced_share=min(1.0, voiced.size * 0.01 / max(speech_seconds, 0.01)),
        speech_seconds=speech_seconds,
    )


def pitch_error_semitones(one: TimbreProfile, other: TimbreProfile) -> float:
    """How far the median pitch of one lies above the other's."""
    return float(12.0 * np.log2(one.median_f0_hz / other.median_f0_hz))


def spectral_difference_db(one: TimbreProfile, other: TimbreProfile) -> Floats:
    """How far one lies above the other in each band, both as loud as each other; 0 where either has no bandwidth."""
    shared = 0.92 * min(one.bandwidth_hz, other.bandwidth_hz) > BAND_HZ
    first, second = (_normalised(np.array(profile.spectrum_db), shared) for profile in (one, other))
    return np.where(shared, first - second, 0.0)


def spectral_distance_db(one: TimbreProfile, other: TimbreProfile) -> float:
    """The mean absolute difference of two spectra over the bands that both have, in dB."""
    shared = 0.92 * min(one.bandwidth_hz, other.bandwidth_hz) > BAND_HZ
    return float(np.abs(spectral_difference_db(one, other))[shared].mean())


def formant_distance(one: TimbreProfile, other: TimbreProfile) -> float:
    """The mean absolute deviation of the formants, as a share of their frequency; 0 where either has none."""
    return float(np.abs(formant_shift(one, other)).mean())


def formant_shift(one: TimbreProfile, other: TimbreProfile) -> Floats:
    """The natural logarithm of each formant of one over the other's; zeros where either has none."""
    if not one.formants_hz or not other.formants_hz:
        return np.zeros(formants.FORMANTS)
    return np.asarray(np.log(np.array(one.formants_hz) / np.array(other.formants_hz)))


def melody_error(one: TimbreProfile, other: TimbreProfile) -> float:
    """Semitones: of the median pitch, and half of that of the spread."""
    spread = abs(one.f0_spread_semitones - other.f0_spread_semitones)
    return abs(pitch_error_semitones(one, other)) + 0.5 * spread


def rate_difference(one: TimbreProfile, other: TimbreProfile) -> float:
    """The natural logarithm of the syllables a second of one over the other's."""
    return float(np.log(max(one.syllables_per_second, 0.1) / max(other.syllables_per_second, 0.1)))


def unlikeness(one: TimbreProfile, other: TimbreProfile) -> float:
    """One number to choose by: a semitone counts as much as two decibels in every band or formants 10 % off."""
    return melody_error(one, other) + 0.5 * spectral_distance_db(one, other) + 10.0 * formant_distance(one, other)


def _normalised(decibels: Floats, shared: NDArray[np.bool_]) -> Floats:
    whole = 10.0 * np.log10((10.0 ** (decibels[shared] / 10.0)).sum())
    return np.asarray(np.maximum(decibels - whole, FLOOR_DB))


def _spectrum(samples: Floats) -> tuple[Floats, float, float]:
    """The long-term spectrum in bands, the loudness in dBFS, and the seconds that are speech."""
    frames = framed(samples, _FFT, _HOP)
    power = np.abs(np.fft.rfft(frames * np.hanning(_FFT))) ** 2
    energy = 10.0 * np.log10((frames**2).mean(axis=1) + 1e-12)
    speech = energy > np.percentile(energy, 95) - _SPEECH_DB
    bands = power[speech].mean(axis=0) @ band_weights(_FFT, ANALYSIS_RATE)
    decibels = 10.0 * np.log10(bands / bands.sum() + 1e-12)
    loudness = 10.0 * np.log10((frames[speech] ** 2).mean() + 1e-12)
    return np.maximum(decibels, FLOOR_DB), float(loudness), float(speech.sum() * _HOP / ANALYSIS_RATE)


def _syllables_per_second(samples: Floats) -> float:
    """Peaks of the energy between 300 and 3,000 Hz that rise and fall by a few dB, a second of speech."""
    frames = framed(samples, 882, ANALYSIS_RATE // 100)
    power = np.abs(np.fft.rfft(frames * np.hanning(882))) ** 2
    hertz = np.fft.rfftfreq(882, 1.0 / ANALYSIS_RATE)
    energy = 10.0 * np.log10(power[:, (hertz > 300) & (hertz < 3000)].mean(axis=1) + 1e-9)
    smooth = np.convolve(np.pad(energy, 4, mode="edge"), np.hanning(11)[1:-1] / np.hanning(11).sum(), "valid")
    threshold = np.percentile(smooth, 95) - _PEAK_DB
    speech_seconds = 0.01 * float((smooth > threshold).sum())
    return _count_peaks(smooth, float(threshold)) / max(0.1, speech_seconds)


def _count_peaks(values: Floats, threshold: float) -> int:
    """Maxima above the threshold with a dip of some dB on both sides."""
    peaks, top, bottom, rising = 0, -np.inf, np.inf, True
    for value in values.tolist():
        if rising:
            top = max(top, value)
            if value < top - _DIP_DB:
                peaks += top > threshold
                rising, bottom = False, value
        else:
            bottom = min(bottom, value)
            if value > bottom + _DIP_DB:
                rising, top = True, value
    return peaks
