"""Changes of the spectral envelope that leave pitch, phase and timing alone: a gain for each frame and frequency."""

from __future__ import annotations

import numpy as np

from libs.speech.timbre.frames import BAND_HZ, Floats, mel

_WINDOW_SECONDS = 0.023
_OVERLAP = 4
_FRAMES_AT_ONCE = 512
_ENVELOPE_PERIODS = 0.5
"""Cepstral detail up to this share of the period is envelope; beyond lie the voice's own harmonics."""

_ENVELOPE_SECONDS = (0.0015, 0.0045)
"""The bounds of it. Formants follow a warp of 1.15 by 1.11 with 4.5 ms at 100 Hz, by 1.04 with 1.6 ms."""

_MOST_WARP_NEPER = 2.5


def shape(samples: Floats, sample_rate: int, *, warp: float, curve_db: Floats, voice_hz: float) -> Floats:
    """Stretch the envelope along the frequency axis by `warp`, and add `curve_db`, given at the mel bands' centres.

    `voice_hz` is the usual F0 of the samples: how much detail the envelope can have depends on it.

    Overlap-add with room on both sides of a frame for what the gain spreads. As many samples as came in.
    """
    window_length = 1 << round(np.log2(_WINDOW_SECONDS * sample_rate))
    hop, fft = window_length // _OVERLAP, 2 * window_length
    window = np.hanning(window_length + 1)[:-1]
    before = (fft - window_length) // 2
    count = -(-samples.size // hop) + _OVERLAP
    padded = np.pad(samples, (window_length, count * hop + window_length - samples.size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_length)[::hop][:count]
    result = np.zeros(count * hop + fft)
    curve = _curve(fft, sample_rate, curve_db)
    to_cepstrum, to_change = _warping(fft, sample_rate, warp, voice_hz)
    for begin in range(0, count, _FRAMES_AT_ONCE):
        block = frames[begin : begin + _FRAMES_AT_ONCE] * window
        spectrum = np.fft.rfft(block, fft)
        gain = curve
        if warp != 1.0:
            # Added up so that silence is no abyss whose edge a gain could climb.
            level = np.log(np.abs(spectrum) + 1e-5)
            gain = curve + np.clip(level @ to_cepstrum @ to_change, -_MOST_WARP_NEPER, _MOST_WARP_NEPER)
        # Turned by half a transform less half a window: the frame then sits in the middle, with room on both sides.
        shaped = np.roll(np.fft.irfft(spectrum * np.exp(gain), fft), before, axis=1)
        for index, frame in enumerate(shaped, start=begin):
            result[index * hop : index * hop + fft] += frame
    first = window_length + before
    return result[first : first + samples.size] * (2.0 / _OVERLAP)


def _curve(fft: int, sample_rate: int, curve_db: Floats) -> Floats:
    """The curve at each bin of a transform, in neper."""
    at = mel(np.linspace(0.0, 0.5 * sample_rate, fft // 2 + 1))
    return np.asarray(np.interp(at, mel(BAND_HZ), curve_db) * (np.log(10.0) / 20.0))


def _warping(fft: int, sample_rate: int, warp: float, voice_hz: float) -> tuple[Floats, Floats]:
    """Two matrices whose product maps the logarithm of a spectrum to the change that warping its envelope makes."""
    detail_seconds = min(max(_ENVELOPE_PERIODS / voice_hz, _ENVELOPE_SECONDS[0]), _ENVELOPE_SECONDS[1])
    order = int(detail_seconds * sample_rate)
    angles = np.pi * np.linspace(0.0, 1.0, fft // 2 + 1)
    quefrency = np.arange(order + 1)
    ends = np.ones(angles.size)
    ends[[0, -1]] = 0.5
    taper = 0.5 + 0.5 * np.cos(np.pi * quefrency / (order + 1))
    to_cepstrum = ends[:, None] * np.cos(np.outer(angles, quefrency)) * (taper * 2.0 / (angles.size - 1))
    to_cepstrum[:, 0] *= 0.5
    warped = np.minimum(angles / warp, np.pi)
    to_change = np.cos(np.outer(quefrency, warped)) - np.cos(np.outer(quefrency, angles))
    return to_cepstrum, to_change
