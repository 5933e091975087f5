"""The fundamental frequency of speech, also where the fundamental itself was filtered out.

By normalised autocorrelation (Boersma 1993), in two passes: the second looks only near what the first found usual,
which is what takes the octave errors away. WORLD's trackers follow the lowest harmonic: over a telephone's band DIO and
Harvest found double the pitch of most voices, and Harvest took 8 s for a minute where this takes half a second.
"""

from __future__ import annotations

import numpy as np

from libs.speech.timbre.frames import ANALYSIS_RATE, Flags, Floats, framed

LOWEST_HZ, HIGHEST_HZ = 55.0, 520.0

_HOP = ANALYSIS_RATE // 100
_WINDOW = 1102  # 50 ms: three periods of the lowest voice
_FFT = 2048  # at least the window and the longest lag
_LEAST_STRENGTH = 0.5
_OCTAVE_COST = 0.01
_QUIETER_DB = 30.0
_ENOUGH_FRAMES = 10


def track(samples: Floats) -> Floats:
    """F0 in Hz of every 10 ms of samples at the analysis rate, 0 where there is no voice."""
    correlation, loud = _autocorrelation(samples)
    rough = _peaks(correlation, loud, LOWEST_HZ, HIGHEST_HZ)
    voiced = rough[rough > 0]
    if voiced.size < _ENOUGH_FRAMES:
        return rough
    low, high = np.percentile(voiced, [25, 75])
    return _peaks(correlation, loud, max(LOWEST_HZ, 0.65 * low), min(HIGHEST_HZ, 1.6 * high))


def _autocorrelation(samples: Floats) -> tuple[Floats, Flags]:
    """The normalised autocorrelation of each frame up to the longest period, and which frames are loud enough."""
    frames = framed(samples, _WINDOW, _HOP)
    window = np.hanning(_WINDOW)
    lags = int(ANALYSIS_RATE / LOWEST_HZ) + 3
    # What lies above the first formants tells nothing about the pitch, and noise lies mostly there.
    hertz = np.fft.rfftfreq(_FFT, 1.0 / ANALYSIS_RATE)
    passed = (1.0 / (1.0 + (hertz / 1800.0) ** 8)).astype(np.float32)
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, _FFT)) ** 2)[:lags]
    correlation = np.empty((len(frames), lags))
    energy = np.empty(len(frames))
    for begin in range(0, len(frames), 512):
        block = frames[begin : begin + 512]
        # Single precision is plenty, and half the time.
        block = ((block - block.mean(axis=1, keepdims=True)) * window).astype(np.float32)
        power = np.abs(np.fft.rfft(block, _FFT)) ** 2 * passed
        raw = np.fft.irfft(power)[:, :lags]
        energy[begin : begin + 512] = raw[:, 0]
        correlation[begin : begin + 512] = raw / np.maximum(raw[:, :1], 1e-12) / (of_window / of_window[0])
    decibels = 10.0 * np.log10(energy + 1e-12)
    return correlation, decibels > np.percentile(decibels, 95) - _QUIETER_DB if len(frames) else decibels > 0


def _peaks(correlation: Floats, loud: Flags, lowest: float, highest: float) -> Floats:
    """F0 from the best local maximum between the two frequencies, refined by a parabola."""
    first = max(1, int(ANALYSIS_RATE / highest))
    last = min(correlation.shape[1] - 2, int(ANALYSIS_RATE / lowest) + 1)
    if len(correlation) == 0:
        return np.zeros(0)
    lags = np.arange(first, last + 1)
    left, centre, right = (correlation[:, first + shift : last + 1 + shift] for shift in (-1, 0, 1))
    is_peak = (centre > left) & (centre >= right)
    score = np.where(is_peak, centre - _OCTAVE_COST * np.log2(lags / first), -1.0)
    rows, best = np.arange(len(score)), score.argmax(axis=1)
    a, b, c = left[rows, best], centre[rows, best], right[rows, best]
    offset = 0.5 * (a - c) / np.minimum(a - 2.0 * b + c, -1e-9)
    f0 = ANALYSIS_RATE / (lags[best] + np.clip(offset, -1.0, 1.0))
    return np.where(loud & is_peak[rows, best] & (b > _LEAST_STRENGTH), f0, 0.0)
