"""Times of characters for a recording that came without: those of another recording of the text, carried over.

The embedded engine speaks the text with exact times; whoever spoke the other recording, its sounds come in the same
order. Plain functions that keep a core busy: call them in a process or thread of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.speech.forced.features import HOP_SECONDS, Pcm, features, to_float
from libs.speech.forced.pauses import Pauses
from libs.speech.forced.warp import Path, warp

_MARGIN_SECONDS: Final = 0.05
"""Silence that stays at both ends: faint sounds begin before the energy says so."""
_PAUSE_SECONDS: Final = 0.06
"""Silence that a voice makes on purpose; shorter is the closure of a plosive."""
_NEAR_SECONDS: Final = 0.01
"""How far the edges of a pause may be off."""


class CarriedOver(NamedTuple):
    """Starts and ends in seconds of every character, never decreasing, within the recording.

    `cost` says how little the recordings have in common: about 1 if they speak the same text, 1.3 and more if not.
    """

    starts: list[float]
    ends: list[float]
    cost: float


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
    duration = len(pcm) / sample_rate
    known, unknown = to_float(reference_pcm), to_float(pcm)
    known_pauses = Pauses.of(known, reference_rate, shortest_seconds=0.0)
    pauses = Pauses.of(unknown, sample_rate, shortest_seconds=_PAUSE_SECONDS)
    known_begin, known_end = _with_margin(known_pauses.sounding, len(known) / reference_rate)
    begin, end = _with_margin(pauses.sounding, duration)
    if end <= begin or known_end <= known_begin:
        return CarriedOver([0.0] * len(reference_starts), [duration] * len(reference_ends), np.inf)
    known_part = known[round(known_begin * reference_rate) : round(known_end * reference_rate)]
    part = unknown[round(begin * sample_rate) : round(end * sample_rate)]
    # As many frames in both: a voice that is slower throughout then takes the straight path.
    known_hop = HOP_SECONDS * (known_end - known_begin) / (end - begin)
    path = warp(
        features(known_part, reference_rate, hop_seconds=known_hop),
        features(part, sample_rate, hop_seconds=HOP_SECONDS),
    )
    from_times, to_times = _corners(path, known_begin, known_hop, begin)
    pace = (end - begin) / (known_end - known_begin)
    known_starts, known_ends = (np.asarray(times, np.float64) for times in (reference_starts, reference_ends))
    starts, ends = (np.interp(times, from_times, to_times) for times in (known_starts, known_ends))
    # Where only the other voice pauses, a word starts after the pause and ends before it, but for a plosive's closure.
    starts += np.maximum(0.0, _until_sound(pauses, starts) - pace * _until_sound(known_pauses, known_starts))
    ends -= np.maximum(0.0, _since_sound(pauses, ends) - pace * _since_sound(known_pauses, known_ends))
    starts, ends = (np.maximum.accumulate(np.clip(times, 0.0, duration)) for times in (starts, ends))
    return CarriedOver(starts.tolist(), np.maximum(starts, ends).tolist(), path.cost)


def _with_margin(sounding: tuple[float, float], duration: float) -> tuple[float, float]:
    begin, end = sounding
    if begin == end:
        return 0.0, 0.0
    return max(0.0, begin - _MARGIN_SECONDS), min(duration, end + _MARGIN_SECONDS)


def _corners(
    path: Path, known_begin: float, known_hop: float, begin: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The path as times: for every frame of the reference the middle of the frames that it was paired with."""
    counts = np.bincount(path.reference)
    middles = np.bincount(path.reference, weights=path.other) / counts
    known: NDArray[np.float64] = known_begin + np.arange(len(counts), dtype=np.float64) * known_hop
    return known, begin + middles * HOP_SECONDS


def _until_sound(pauses: Pauses, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long after each time sound begins, also where a pause begins only just after it."""
    near = pauses.until_sound(times + _NEAR_SECONDS)
    return np.maximum(pauses.until_sound(times), np.where(near > 0, near + _NEAR_SECONDS, 0.0))


def _since_sound(pauses: Pauses, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long before each time sound ended, also where a pause ended only just before it."""
    near = pauses.since_sound(times - _NEAR_SECONDS)
    return np.maximum(pauses.since_sound(times), np.where(near > 0, near + _NEAR_SECONDS, 0.0))
