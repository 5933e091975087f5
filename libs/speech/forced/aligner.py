"""Times of characters for a recording that came without: those of another recording of the text, carried over.

The embedded engine speaks the text with exact times; whoever spoke the other recording, its sounds come in the same
order. Plain functions that keep a core busy: call them in a process or thread of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.speech.forced.features import HOP_SECONDS, Pcm, features, to_float
from libs.speech.forced.pauses import Pauses
from libs.speech.forced.warp import Path, warp

_PAUSE_SECONDS: Final = 0.08
"""Silence that a voice makes on purpose; shorter is the closure of a plosive."""
_MARGIN_SECONDS: Final = 0.03
"""What stays of a pause at each edge: faint sounds begin before the energy says so."""
_NEAR_SECONDS: Final = 0.01
"""How far the edges of a pause may be off."""

Seconds = NDArray[np.float64]


class CarriedOver(NamedTuple):
    """Starts and ends in seconds of every character, never decreasing, within the recording.

    `agreement` says how alike the recordings are where they were aligned, as the cosine of their features: 1 if they
    are the same, 0 if they have nothing in common; see `libs.speech.forced.LEAST_AGREEMENT`.
    """

    starts: list[float]
    ends: list[float]
    agreement: float


def carry_over(
    reference_pcm: Pcm,
    reference_rate: int,
    reference_starts: Sequence[float],
    reference_ends: Sequence[float],
    pcm: Pcm,
    sample_rate: int,
) -> CarriedOver:
    """When the characters that the reference speaks from `reference_starts` to `reference_ends` are spoken in `pcm`.

    Both recordings are one channel, at their own rates in Hz. Whatever they hold, the times come out as promised.
    Raises ValueError if there are not as many ends as starts, or for audio of more than one channel.
    """
    if len(reference_starts) != len(reference_ends):
        raise ValueError(f"{len(reference_starts)} starts but {len(reference_ends)} ends: they must belong together")
    known_samples, samples = to_float(reference_pcm), to_float(pcm)
    known_pauses = Pauses.of(known_samples, reference_rate, shortest_seconds=0.0)
    pauses = Pauses.of(samples, sample_rate, shortest_seconds=_PAUSE_SECONDS)
    known = _Shortened.of(known_samples, reference_rate, known_pauses.kept(_MARGIN_SECONDS))
    unknown = _Shortened.of(samples, sample_rate, pauses.kept(_MARGIN_SECONDS))
    duration = len(samples) / sample_rate
    if not known.seconds or not unknown.seconds:
        return CarriedOver([0.0] * len(reference_starts), [duration] * len(reference_ends), 0.0)
    # As many frames in both: a voice that is slower throughout then takes the straight path.
    pace = unknown.seconds / known.seconds
    known_hop = HOP_SECONDS / pace
    known_features = features(known.samples, reference_rate, hop_seconds=known_hop)
    unknown_features = features(unknown.samples, sample_rate, hop_seconds=HOP_SECONDS)
    path = warp(known_features, unknown_features)
    frames = np.arange(len(known_features), dtype=np.float64)
    both = _Correspondence(
        known_times=known.times(frames * known_hop),
        times=unknown.times(_partners(path) * HOP_SECONDS),
        known_pauses=known_pauses,
        pauses=pauses,
        pace=pace,
    )
    starts = _ordered(both.starts(np.asarray(reference_starts, np.float64)), duration)
    ends = _ordered(both.ends(np.asarray(reference_ends, np.float64)), duration)
    agreement = _cosine(known_features[path.reference], unknown_features[path.other])
    return CarriedOver(starts.tolist(), np.maximum(starts, ends).tolist(), agreement)


@dataclass(frozen=True, slots=True)
class _Shortened:
    """A recording whose long pauses are cut short, so that those of one voice are not taken for words of the other."""

    samples: NDArray[np.float32]
    seconds: float
    shortened_edges: Seconds
    original_edges: Seconds

    @classmethod
    def of(cls, samples: NDArray[np.float32], sample_rate: int, kept: Sequence[tuple[float, float]]) -> _Shortened:
        edges = np.rint(np.array(kept, np.float64).reshape(-1, 2) * sample_rate).astype(np.intp)
        left = np.concatenate([samples[:0], *(samples[begin:end] for begin, end in edges)])
        ends = np.cumsum(edges[:, 1] - edges[:, 0])
        begins = ends - (edges[:, 1] - edges[:, 0])
        shortened = np.stack((begins, ends), axis=1)
        return cls(left, len(left) / sample_rate, shortened.ravel() / sample_rate, edges.ravel() / sample_rate)

    def times(self, shortened: Seconds) -> Seconds:
        """Where in the recording times of the shortened one lie."""
        return np.interp(shortened, self.shortened_edges, self.original_edges)


@dataclass(frozen=True, slots=True)
class _Correspondence:
    """`known_times` of the reference are `times` of the other recording, which is `pace` times as long."""

    known_times: Seconds
    times: Seconds
    known_pauses: Pauses
    pauses: Pauses
    pace: float

    def starts(self, known: Seconds) -> Seconds:
        """Where only the other voice pauses, a word starts after the pause, but for the closure of a plosive."""
        closure = _until_sound(self.known_pauses, known)
        starts, sounds = self._mapped(known), self._mapped(known + closure)
        paced = closure * self.pace
        # A closure and the sound after it, torn apart by the pause: what sounds says where the word is.
        torn = (closure < _PAUSE_SECONDS) & (sounds - paced - starts > _PAUSE_SECONDS)
        after = np.where(torn, sounds, starts)
        wait = np.where(torn, 0.0, paced)
        return after + np.maximum(0.0, _until_sound(self.pauses, after) - wait) - np.where(torn, paced, 0.0)

    def ends(self, known: Seconds) -> Seconds:
        """Where only the other voice pauses, a word ends before the pause."""
        ends = self._mapped(known)
        rest = _since_sound(self.known_pauses, known) * self.pace
        return ends - np.maximum(0.0, _since_sound(self.pauses, ends) - rest)

    def _mapped(self, known: Seconds) -> Seconds:
        return np.interp(known, self.known_times, self.times)


def _partners(path: Path) -> Seconds:
    """For every frame of the reference the middle of the frames that it was paired with."""
    return np.bincount(path.reference, weights=path.other) / np.bincount(path.reference)


def _until_sound(pauses: Pauses, times: Seconds) -> Seconds:
    """How long after each time sound begins, also where a pause begins only just after it."""
    near = pauses.until_sound(times + _NEAR_SECONDS)
    return np.maximum(pauses.until_sound(times), np.where(near > 0, near + _NEAR_SECONDS, 0.0))


def _since_sound(pauses: Pauses, times: Seconds) -> Seconds:
    """How long before each time sound ended, also where a pause ended only just before it."""
    near = pauses.since_sound(times - _NEAR_SECONDS)
    return np.maximum(pauses.since_sound(times), np.where(near > 0, near + _NEAR_SECONDS, 0.0))


def _ordered(times: Seconds, duration: float) -> Seconds:
    return np.maximum.accumulate(np.clip(times, 0.0, duration))


def _cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    scale = float(np.linalg.norm(left)) * float(np.linalg.norm(right))
    return float(np.vdot(left, right)) / scale if scale else 0.0
