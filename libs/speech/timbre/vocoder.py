"""The pitch of speech changed by WORLD (Morise 2016): taken apart, given another F0, put together."""

from __future__ import annotations

import numpy as np
import pyworld

from libs.speech.timbre.frames import Floats

_FRAME_MS = 5.0
_LOWEST_HZ, _HIGHEST_HZ = 55.0, 600.0
_SHORTEST_SECONDS = 0.1


def map_pitch(samples: Floats, sample_rate: int, *, pivot_hz: float, shift_semitones: float, scale: float) -> Floats:
    """The samples with their F0 moved by `shift_semitones` and stretched around `pivot_hz` by `scale`.

    DIO rather than Harvest: an engine's speech is clean, and it takes a tenth of the time. Aperiodicity changes slowly,
    so every other frame of it does.
    """
    if samples.size < _SHORTEST_SECONDS * sample_rate:
        return samples
    samples = np.ascontiguousarray(samples)
    coarse, times = pyworld.dio(samples, sample_rate, f0_floor=_LOWEST_HZ, f0_ceil=_HIGHEST_HZ, frame_period=_FRAME_MS)
    f0 = pyworld.stonemask(samples, coarse, times, sample_rate)
    if not (f0 > 0).any():
        return samples
    envelope = pyworld.cheaptrick(samples, f0, times, sample_rate)
    sparse = pyworld.d4c(samples, np.ascontiguousarray(f0[::2]), np.ascontiguousarray(times[::2]), sample_rate)
    aperiodicity = np.ascontiguousarray(np.repeat(sparse, 2, axis=0)[: f0.size])
    octaves = np.log2(np.maximum(f0, 1.0) / pivot_hz)
    moved = np.where(f0 > 0, pivot_hz * 2.0 ** (shift_semitones / 12.0 + scale * octaves), 0.0)
    moved = np.where(f0 > 0, np.clip(moved, 40.0, 800.0), 0.0)
    spoken = pyworld.synthesize(moved, envelope, aperiodicity, sample_rate, frame_period=_FRAME_MS)
    return np.asarray(np.pad(spoken, (0, max(0, samples.size - spoken.size)))[: samples.size])
