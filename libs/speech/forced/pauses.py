"""Where a recording is silent, judged by its energy against its own loudest and its own noise."""

from __future__ import annotations

from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

_STEP_SECONDS: Final = 0.005
_QUIETEST: Final = 3e-4
"""Energy, not amplitude, of the faintest sound relative to the loudest: -35 dB, where a synthetic [f] begins."""
_NOISE_MARGIN: Final = 3.0
"""How far sound has to rise above the noise, as energy; noise itself varies by less within a few milliseconds."""
_LOUDEST_NOISE: Final = 0.01
"""Noise above this share of the loudest drowns quiet consonants: what looks like a pause then is none."""


class Pauses:
    """The silent stretches of a recording, as edges in seconds, in order; the first may begin at 0."""

    def __init__(self, begins: NDArray[np.float64], ends: NDArray[np.float64], duration: float) -> None:
        self._begins = begins
        self._ends = ends
        self._duration = duration

    @classmethod
    def of(cls, samples: NDArray[np.float32], sample_rate: int, *, shortest_seconds: float) -> Self:
        """Those of one channel at `sample_rate` Hz that last at least `shortest_seconds`.

        Shorter than 0.06 s is the closure of a plosive rather than a pause.
        """
        step = max(1, round(_STEP_SECONDS * sample_rate))
        edges = np.arange(0, len(samples), step)
        # A voice swings further to one side, so its mean is not where silence is.
        centred = samples.astype(np.float64) - (np.median(samples) if len(samples) else 0.0)
        energy = np.add.reduceat(centred**2, edges) if len(samples) else np.zeros(0)
        loudest = float(energy.max(initial=0.0))
        noise = _NOISE_MARGIN * float(np.quantile(energy, 0.02)) if len(energy) else 0.0
        silent = energy <= max(loudest * _QUIETEST, min(noise, loudest * _LOUDEST_NOISE))
        turns = np.flatnonzero(np.diff(np.concatenate(([False], silent, [False])).astype(np.int8)))
        begins, ends = turns[::2] * step / sample_rate, turns[1::2] * step / sample_rate
        duration = len(samples) / sample_rate
        long = ends - begins >= shortest_seconds
        return cls(begins[long], np.minimum(ends[long], duration), duration)

    def kept(self, margin_seconds: float) -> list[tuple[float, float]]:
        """What is left of the recording when every pause keeps this much at each edge; nothing of one that is silent.

        The pauses at both ends of the recording have one edge each.
        """
        kept: list[tuple[float, float]] = []
        since = 0.0
        for begin, end in zip(self._begins.tolist(), self._ends.tolist(), strict=True):
            until = min(begin + margin_seconds, end) if begin > 0 else 0.0
            resume = max(end - margin_seconds, until) if end < self._duration else self._duration
            if until > since:
                kept.append((since, until))
            since = resume
        if self._duration > since:
            kept.append((since, self._duration))
        return kept

    def until_sound(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """How long after each time sound begins; 0 where there is sound."""
        begins, ends = self._around(times)
        return np.where((begins <= times) & (times < ends), ends - times, 0.0)

    def since_sound(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """How long before each time sound ended; 0 where there is sound."""
        begins, ends = self._around(times)
        return np.where((begins <= times) & (times <= ends), times - begins, 0.0)

    def _around(self, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Begin and end of the last pause that begins at or before each time, or of none."""
        index = np.searchsorted(self._begins, times, side="right")
        begins, ends = np.concatenate(([-1.0], self._begins)), np.concatenate(([-1.0], self._ends))
        return begins[index], ends[index]
