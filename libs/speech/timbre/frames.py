"""Samples at one rate, cut into frames, and the mel bands that spectra are compared in."""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ANALYSIS_RATE = 22050
"""Hz at which everything is measured; the rate of eSpeak NG."""

BANDS = 40
"""Mel bands of a spectrum."""

_LOWEST_HZ, _HIGHEST_HZ = 100.0, 10000.0
_SIMPLE_RATIO = 1280  # of 192 kHz to the analysis rate


def to_floats(pcm: NDArray[np.generic]) -> Floats:
    """Mono samples as floats in -1..1: signed integers are divided by their full scale, floats are taken as they are.

    Raises ValueError for anything but one dimension.
    """
    if pcm.ndim != 1:
        raise ValueError(f"the samples have {pcm.ndim} dimensions: mix them to mono first")
    samples = pcm.astype(np.float64)
    if np.issubdtype(pcm.dtype, np.integer):
        return samples / 2.0 ** (8 * pcm.dtype.itemsize - 1)
    return np.nan_to_num(samples)


def resample(samples: Floats, rate: int, wanted: int) -> Floats:
    """The samples at another rate, band-limited. By one Fourier transform, so for a minute at most."""
    if rate == wanted or samples.size == 0:
        return samples
    whole = rate // gcd(rate, wanted)
    # Silence behind, so that both lengths have small factors only: transforms of large primes take ten times as long.
    step = 256 * whole if whole <= _SIMPLE_RATIO else 4096
    padded = np.pad(samples, (0, -samples.size % step))
    count = round(padded.size * wanted / rate)
    spectrum = np.fft.rfft(padded)
    resized = np.zeros(count // 2 + 1, dtype=np.complex128)
    kept = min(resized.size, spectrum.size)
    resized[:kept] = spectrum[:kept]
    return np.fft.irfft(resized, count)[: round(samples.size * wanted / rate)] * (count / padded.size)


def framed(samples: Floats, length: int, hop: int) -> Floats:
    """Overlapping frames as the rows of a read-only view, centred on multiples of `hop`: (frames, length)."""
    padded = np.pad(samples, (length // 2, length // 2 + hop))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::hop][: samples.size // hop + 1]


def mel(hertz: Floats) -> Floats:
    """The mel scale of O'Shaughnessy."""
    return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))


def _hertz(mels: Floats) -> Floats:
    return np.asarray(700.0 * (10.0 ** (mels / 2595.0) - 1.0))


def _edges() -> Floats:
    low, high = mel(np.array([_LOWEST_HZ, _HIGHEST_HZ]))
    step = (high - low) / (BANDS - 1)
    return _hertz(np.linspace(low - step, high + step, BANDS + 2))


BAND_HZ: Floats = _edges()[1:-1]
"""The centres of the bands, in Hz."""


def band_weights(fft_length: int, rate: int) -> Floats:
    """Triangular weights from the bins of a power spectrum to the bands, each summing to one: (bins, BANDS)."""
    edges = _edges()
    bins = np.fft.rfftfreq(fft_length, 1.0 / rate)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    weights = np.clip(np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)), 0.0, None)
    return np.asarray(weights / np.maximum(weights.sum(axis=0), 1e-12))
