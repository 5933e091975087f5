"""From one sample rate to another, by FFmpeg's resampler, whose output is not delayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler


class Resampler:
    """Takes mono PCM (s16le) at one rate in Hz in pieces of any size, gives whole samples at another or the same."""

    def __init__(self, input_rate: int, output_rate: int) -> None:
        self._rates = (input_rate, output_rate)
        self._resampler = None if input_rate == output_rate else _resampler(output_rate)
        self._half = b""
        self._taken = 0
        self._given = 0

    def feed(self, pcm: bytes) -> bytes:
        """What is complete by now."""
        pcm = self._whole_samples(pcm)
        if not pcm or self._resampler is None:
            return pcm
        frame = audio_frame(pcm, self._rates[0], self._taken)
        self._taken += len(pcm) // 2
        return self._give(self._resampler.resample(frame))

    def finish(self) -> bytes:
        """The rest, so that everything is as long as the input, rounded up to a sample."""
        if self._resampler is None or not self._taken:
            return b""
        input_rate, output_rate = self._rates
        missing = -(-self._taken * output_rate // input_rate) - self._given
        return self._give(self._resampler.resample(None))[: 2 * max(0, missing)].ljust(2 * missing, b"\0")

    def _whole_samples(self, pcm: bytes) -> bytes:
        if self._half or len(pcm) % 2:
            pcm = self._half + pcm
            cut = len(pcm) // 2 * 2
            self._half, pcm = pcm[cut:], pcm[:cut]
        return pcm

    def _give(self, frames: list[AudioFrame]) -> bytes:
        pcm = b"".join(samples(frame) for frame in frames)
        self._given += len(pcm) // 2
        return pcm


def _resampler(output_rate: int) -> AudioResampler:
    from av import AudioResampler

    return AudioResampler(format="s16", layout="mono", rate=output_rate)


def audio_frame(pcm: bytes, sample_rate: int, at: int) -> AudioFrame:
    """PyAV's frame of mono PCM; `at` is the number of samples before it."""
    from fractions import Fraction

    from av import AudioFrame

    frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.planes[0].update(pcm)
    frame.sample_rate = sample_rate
    frame.time_base = Fraction(1, sample_rate)
    frame.pts = at
    return frame


def samples(frame: AudioFrame) -> bytes:
    """The PCM of a mono frame; its plane may be larger."""
    return bytes(memoryview(frame.planes[0])[: 2 * frame.samples])
