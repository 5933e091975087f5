"""Formants of voiced speech by linear prediction, as the measure of how long a vocal tract sounds."""

from __future__ import annotations

import numpy as np

from libs.speech.timbre.frames import ANALYSIS_RATE, Floats, framed, resample

FORMANTS = 4
"""How many are measured."""

_RATE = 11025
_ORDER = 12
_WINDOW = 276  # 25 ms
_HOP = _RATE // 100
_MOST_FRAMES = 600
_ENOUGH_FRAMES = 20
_WIDEST_HZ = 700.0


def measure(samples: Floats, f0: Floats) -> tuple[float, ...]:
    """The medians of F1-F4 in Hz over the voiced frames of samples at the analysis rate; empty where too few are found.

    `f0` is what `pitch.track` gave for the same samples.
    """
    signal = resample(samples, ANALYSIS_RATE, _RATE)
    signal = np.append(signal[:1], signal[1:] - 0.97 * signal[:-1])
    frames = framed(signal, _WINDOW, _HOP)
    voiced = np.flatnonzero(f0[: len(frames)] > 0)
    if voiced.size < _ENOUGH_FRAMES:
        return ()
    chosen = voiced[np.linspace(0, voiced.size - 1, min(voiced.size, _MOST_FRAMES)).astype(int)]
    poles = _poles(frames[chosen] * np.hamming(_WINDOW))
    hertz = np.angle(poles) * _RATE / (2.0 * np.pi)
    width = -np.log(np.maximum(np.abs(poles), 1e-9)) * _RATE / np.pi
    is_formant = (hertz > 150.0) & (hertz < _RATE / 2 - 300.0) & (width < _WIDEST_HZ)
    ordered = np.sort(np.where(is_formant, hertz, np.inf), axis=1)[:, :FORMANTS]
    complete = ordered[np.isfinite(ordered).all(axis=1)]
    if len(complete) < _ENOUGH_FRAMES:
        return ()
    return tuple(float(value) for value in np.median(complete, axis=0))


def _poles(frames: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.complex128]]:
    """The poles of each frame's all-pole model: (frames, order)."""
    coefficients = _prediction(frames)
    companion = np.zeros((len(frames), _ORDER, _ORDER))
    companion[:, 0, :] = -coefficients
    companion[:, np.arange(1, _ORDER), np.arange(_ORDER - 1)] = 1.0
    return np.linalg.eigvals(companion).astype(np.complex128)  # real where all of them are


def _prediction(frames: Floats) -> Floats:
    """Levinson and Durbin's recursion on all frames at once: (frames, order), without the leading one."""
    power = np.abs(np.fft.rfft(frames, 2 * _WINDOW)) ** 2
    correlation = np.fft.irfft(power)[:, : _ORDER + 1]
    correlation[:, 0] = correlation[:, 0] * (1.0 + 1e-6) + 1e-12
    polynomial = np.zeros((len(frames), _ORDER + 1))
    polynomial[:, 0] = 1.0
    error = correlation[:, 0].copy()
    for step in range(1, _ORDER + 1):
        reflection = -(polynomial[:, :step] * correlation[:, step:0:-1]).sum(axis=1) / error
        polynomial[:, 1 : step + 1] += reflection[:, None] * polynomial[:, step - 1 :: -1][:, :step]
        error = error * (1.0 - reflection**2)
    return polynomial[:, 1:]
