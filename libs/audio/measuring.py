"""What can be measured of samples: levels, loudness, spectrum, silence, and speech against noise."""

from __future__ import annotations

import math
from fractions import Fraction

import av
import av.filter
import numpy as np
from numpy.typing import NDArray

from libs.audio.speech_detector import FRAME, SAMPLE_RATE

FLOOR_DB = -120.0
"""Stands for silence: 16 bits end at -96, and JSON has no infinity."""

_CLIPPED = 0.99
"""Of full scale. Lossy codecs ripple about the flat tops, so exactly full scale would miss them; speech that is merely
loud has fewer than one sample in a thousand up there."""

_SILENT_DB = -50.0
"""Windows below are silence: quiet rooms lie at -60 to -50 dBFS, the softest consonants at -45."""

_WINDOW = SAMPLE_RATE // 100  # 10 ms
_END_OF_SPECTRUM_DB = -65.0
"""Against the strongest bin. Speech at 10 kHz lies 40 to 60 dB below its peak; what a resampler leaves above the end of
the original lies below -80."""

_MOST_SNR_DB = 80.0
_LEAST_NOISE_FRAMES = 6  # 0.2 s
_GUARD = 3  # frames (0.1 s) on either side of speech that have its reverberation
_NO_SPEECH, _SPEECH = 0.2, 0.5


def decibels(power: float) -> float:
    """Of a power (mean square), not below `FLOOR_DB`."""
    return max(FLOOR_DB, 10 * math.log10(power)) if power > 0 else FLOOR_DB


class Levels:
    """Peak, RMS and clipping over all channels."""

    def __init__(self) -> None:
        self._peak = self._power = 0.0
        self._samples = self._clipped = 0

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take (channels, samples)."""
        size = np.abs(samples)
        self._peak = max(self._peak, float(size.max(initial=0.0)))
        self._power += float(np.square(samples, dtype=np.float64).sum())
        self._clipped += int(np.count_nonzero(size >= _CLIPPED))
        self._samples += samples.size

    @property
    def peak_dbfs(self) -> float:
        """Of the largest sample."""
        return decibels(self._peak**2)

    @property
    def rms_dbfs(self) -> float:
        """0 is a full-scale square wave."""
        return decibels(self._power / max(1, self._samples))

    @property
    def clipped_share(self) -> float:
        """Of the samples."""
        return self._clipped / max(1, self._samples)


class Loudness:
    """Integrated loudness by ITU-R BS.1770, as FFmpeg's ebur128 filter measures it."""

    _GATE_LUFS = -70.0  # BS.1770: blocks below do not count, and the filter says this when there was none above

    def __init__(self, sample_rate: int, layout: str) -> None:
        self._graph = av.filter.Graph()
        self._graph.threads = 1
        source = self._graph.add_abuffer(
            sample_rate=sample_rate, format="fltp", layout=layout, time_base=Fraction(1, sample_rate)
        )
        meter = self._graph.add("ebur128", "metadata=1:framelog=quiet")
        self._graph.link_nodes(source, meter, self._graph.add("abuffersink")).configure()
        self._sample_rate = sample_rate
        self._position = 0
        self._said = "nan"

    def feed(self, block: av.AudioFrame) -> None:
        """Take planar floats of the rate and layout that were said."""
        block.pts, block.time_base = self._position, Fraction(1, self._sample_rate)
        self._position += block.samples
        self._graph.push(block)
        self._pull()

    def finish(self) -> float | None:
        """In LUFS; None if nothing was above the gate."""
        self._graph.push(None)
        self._pull()
        value = float(self._said)
        return value if math.isfinite(value) and value > self._GATE_LUFS else None

    def _pull(self) -> None:
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            self._said = frame.metadata.get("lavfi.r128.I", self._said)  # the last frame, if it is short, has none


class Bandwidth:
    """Where the long-term spectrum ends."""

    def __init__(self, sample_rate: int) -> None:
        self._size = 1 << (sample_rate // 20).bit_length()  # bins of 12 to 25 Hz
        self._bin_hz = sample_rate / self._size
        self._window = np.hanning(self._size).astype(np.float32)
        self._power = np.zeros(self._size // 2 + 1)

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take (channels, samples); what does not fill a window is left out."""
        mono = samples.mean(axis=0)
        windows = mono[: len(mono) // self._size * self._size].reshape(-1, self._size)
        self._power += np.square(np.abs(np.fft.rfft(windows * self._window))).sum(axis=0)

    @property
    def hertz(self) -> float:
        """0 for silence."""
        strong = np.flatnonzero(self._power > self._power.max() * 10 ** (_END_OF_SPECTRUM_DB / 10))
        return float(strong[-1] * self._bin_hz) if self._power.max() > 0 else 0.0


def silence(samples: NDArray[np.float32]) -> tuple[float, float]:
    """Seconds of silence before and after the sound in mono audio of 16 kHz; all of it before if there is none."""
    windows = samples[: len(samples) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    loud = np.flatnonzero(np.square(windows, dtype=np.float64).mean(axis=1) > 10 ** (_SILENT_DB / 10))
    if not len(loud):
        return len(samples) / SAMPLE_RATE, 0.0
    return float(loud[0]) * _WINDOW / SAMPLE_RATE, (len(samples) - (float(loud[-1]) + 1) * _WINDOW) / SAMPLE_RATE


def signal_to_noise(samples: NDArray[np.float32], probabilities: NDArray[np.float32]) -> float | None:
    """Speech against pauses in dB, at most 80; None without speech or without a pause of 0.2 s in all.

    `samples` are mono at 16 kHz, `probabilities` those of speech in each frame of `FRAME` samples.
    """
    frames = len(samples) // FRAME
    power = np.square(samples[: frames * FRAME].reshape(-1, FRAME), dtype=np.float64).mean(axis=1)
    likely = probabilities[:frames]
    noise = _far_from(likely >= _NO_SPEECH)
    if np.count_nonzero(noise) < _LEAST_NOISE_FRAMES:
        noise = likely < _NO_SPEECH
    speech = likely >= _SPEECH
    if np.count_nonzero(noise) < _LEAST_NOISE_FRAMES or not speech.any():
        return None
    noise_power, both = float(power[noise].mean()), float(power[speech].mean())
    if noise_power <= both * 10 ** (-_MOST_SNR_DB / 10):
        return _MOST_SNR_DB
    return decibels(max(0.0, both - noise_power) / noise_power)


def _far_from(frames: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which frames have none of `frames` within the guard."""
    near = np.convolve(frames, np.ones(2 * _GUARD + 1), "same") if len(frames) else frames
    return np.asarray(near[: len(frames)]) < 0.5
