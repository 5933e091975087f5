"""What is done to an engine's speech so that it sounds more like a voice, sample for sample at the same time.

Three steps, each left out where it would change nothing: the pitch is mapped by WORLD (analysis and synthesis), the
envelope of each frame is stretched along the frequency axis and the long-term spectrum corrected, both by a gain that
changes slowly over frequency and keeps the phase. A limiter comes last. Long speech is done in pieces of bounded size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from libs.speech.timbre import spectral
from libs.speech.timbre.frames import BANDS, Floats, to_floats

MOST_DB = 24.0
"""How far the transfer curve may raise or lower a band."""

_RANGES = {
    "pitch_shift_semitones": (-24.0, 24.0),
    "pitch_scale": (0.25, 4.0),
    "envelope_warp": (0.7, 1.4),
    "gain_db": (-36.0, 36.0),
}

Pcm = NDArray[np.int16]

_CEILING = 0.97
_PIECE_SECONDS = 20.0
_SEARCH_SECONDS = 4.0
_CONTEXT_SECONDS = 0.25
_FADE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Transform:
    """How to change speech. The defaults change nothing.

    `pitch_pivot_hz` is the usual F0 of the speech that comes in. The F0 map is linear in semitones around it: a frame
    that lies d semitones above comes to lie `pitch_shift_semitones + pitch_scale * d` above. An `envelope_warp` above 1
    moves formants up by that factor, as of a shorter vocal tract. `transfer_db` is added to the spectrum at the centres
    of the mel bands (`frames.BAND_HZ`), then `gain_db` to the whole. Raises ValueError outside the ranges that make
    sense.
    """

    pitch_pivot_hz: float = 100.0
    pitch_shift_semitones: float = 0.0
    pitch_scale: float = 1.0
    envelope_warp: float = 1.0
    transfer_db: tuple[float, ...] = (0.0,) * BANDS
    gain_db: float = 0.0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie between {low} and {high}")
        if not 40.0 <= self.pitch_pivot_hz <= 800.0:
            raise ValueError(f"pitch_pivot_hz is {self.pitch_pivot_hz}; it must lie between 40 and 800")
        if len(self.transfer_db) != BANDS or not all(abs(value) <= MOST_DB for value in self.transfer_db):
            raise ValueError(f"transfer_db must have {BANDS} values between {-MOST_DB} and {MOST_DB}")

    @property
    def maps_pitch(self) -> bool:
        """Whether it needs WORLD, which takes most of the time."""
        return self.pitch_shift_semitones != 0.0 or self.pitch_scale != 1.0

    @property
    def shapes_spectrum(self) -> bool:
        """Whether it changes the envelope or the long-term spectrum."""
        return self.envelope_warp != 1.0 or any(self.transfer_db)

    def to_dict(self) -> dict[str, float | list[float]]:
        """JSON-ready; `from_dict` gives an equal transform."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:  # JSON: checked field by field here
        """What `to_dict` wrote. Raises TypeError for unknown fields or no numbers, ValueError as above."""
        curve = tuple(float(value) for value in fields.get("transfer_db", (0.0,) * BANDS))
        rest = {name: float(value) for name, value in fields.items() if name != "transfer_db"}
        return cls(transfer_db=curve, **rest)


def apply(pcm: Pcm, sample_rate: int, transform: Transform) -> Pcm:
    """The speech of one engine voice as the transform changes it: as many samples, each at its old time.

    The same input gives the same output. Never louder than 0.97 of full scale: peaks are turned down, not cut.
    """
    if transform == Transform() or pcm.size == 0:
        return pcm
    result = np.zeros(pcm.size, dtype=np.int16)
    fade = int(_FADE_SECONDS * sample_rate)
    tail = np.zeros(0)
    for begin, end in _pieces(pcm, sample_rate):
        piece = _changed(pcm, begin, min(end + fade, pcm.size), sample_rate, transform)
        ramp = (np.arange(tail.size) + 0.5) / max(1, tail.size)
        piece[: tail.size] = piece[: tail.size] * ramp + tail * (1.0 - ramp)
        result[begin:end] = np.rint(piece[: end - begin] * 32767.0).astype(np.int16)
        tail = piece[end - begin :]
    return result


def _pieces(pcm: Pcm, sample_rate: int) -> Iterator[tuple[int, int]]:
    """Where to cut, so that memory stays bounded: at the quietest moment of the last seconds of each piece."""
    begin, size = 0, int(_PIECE_SECONDS * sample_rate)
    search, window = int(_SEARCH_SECONDS * sample_rate), sample_rate // 50
    while pcm.size - begin > size + search:
        area = pcm[begin + size - search : begin + size].astype(np.float64)
        loudness = (area[: area.size // window * window].reshape(-1, window) ** 2).mean(axis=1)
        end = begin + size - search + int(loudness.argmin()) * window + window // 2
        yield begin, end
        begin = end
    yield begin, pcm.size


def _changed(pcm: Pcm, begin: int, end: int, sample_rate: int, transform: Transform) -> Floats:
    """The samples from `begin` to `end`, changed, with what lies around them heard but not given."""
    context = int(_CONTEXT_SECONDS * sample_rate)
    first, last = max(0, begin - context), min(pcm.size, end + context)
    samples = to_floats(pcm[first:last])
    if transform.maps_pitch:
        # Imported where it is needed: most voices are matched without it.
        from libs.speech.timbre import vocoder

        samples = vocoder.map_pitch(
            samples,
            sample_rate,
            pivot_hz=transform.pitch_pivot_hz,
            shift_semitones=transform.pitch_shift_semitones,
            scale=transform.pitch_scale,
        )
    if transform.shapes_spectrum:
        samples = spectral.shape(
            samples,
            sample_rate,
            warp=transform.envelope_warp,
            curve_db=np.array(transform.transfer_db),
            voice_hz=transform.pitch_pivot_hz * 2.0 ** (transform.pitch_shift_semitones / 12.0),
        )
    samples = _limited(samples * 10.0 ** (transform.gain_db / 20.0), sample_rate)
    return samples[begin - first : end - first].copy()


def _limited(samples: Floats, sample_rate: int) -> Floats:
    """The samples with their peaks turned down to the ceiling, softly from some milliseconds before to some after."""
    block = max(1, sample_rate // 400)
    padded = np.pad(np.abs(samples), (0, -samples.size % block))
    peaks = padded.reshape(-1, block).max(axis=1)
    if peaks.max(initial=0.0) <= _CEILING:
        return samples
    # Each block's gain suffices for its neighbours too, so the mean of some of them suffices for the one in the middle,
    # and a line between two edges never rises above what both blocks at its ends allow.
    gains = np.pad(_CEILING / np.maximum(peaks, _CEILING), 4, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(gains, 4).min(axis=1)
    edges = np.lib.stride_tricks.sliding_window_view(lowest, 3).mean(axis=1)
    at = np.arange(samples.size) / block
    return np.asarray(samples * np.interp(at, np.arange(edges.size) - 1.0, edges))
