"""From 16-bit mono PCM to whole files, for texts that are one chunk: mp3 as it comes in, wav at the end.

The mp3 carries the header frame ("Info") in which LAME declares its delay and padding, so that a decoder plays exactly
the samples that were spoken and timings fit without an offset.
"""

from __future__ import annotations

import io
import wave
from typing import Protocol

from libs.speech.encoding.lame import lame_encoder
from libs.speech.encoding.mp3_frames import ENCODER_DELAY, FrameLayout, info_frame

BIT_RATE_KBPS = 64


class Encoder(Protocol):
    """Takes PCM (signed 16 bit, little-endian, mono) in pieces, gives the encoded file."""

    def feed(self, pcm: bytes) -> None:
        """Take the next piece."""

    def finish(self) -> bytes | memoryview:
        """The whole file. Nothing may be fed afterwards."""


class WavEncoder:
    """RIFF WAVE, 16-bit PCM."""

    def __init__(self, sample_rate: int) -> None:
        self._file = io.BytesIO()
        self._writer = wave.open(self._file, "wb")  # noqa: SIM115  # closed by finish
        self._writer.setnchannels(1)
        self._writer.setsampwidth(2)
        self._writer.setframerate(sample_rate)

    def feed(self, pcm: bytes) -> None:
        self._writer.writeframesraw(pcm)

    def finish(self) -> memoryview:
        self._writer.close()
        return self._file.getbuffer()


class Mp3Encoder:
    """Constant bit rate mp3 at the rate of the input (16 kHz and more), gapless."""

    def __init__(self, sample_rate: int, bit_rate_kbps: int = BIT_RATE_KBPS) -> None:
        self._layout = FrameLayout(sample_rate, bit_rate_kbps)
        self._samples = 0
        self._frames = bytearray()
        self._lame = lame_encoder(self._layout)

    def feed(self, pcm: bytes) -> None:
        self._samples += len(pcm) // 2
        self._frames += self._lame.encode(pcm)

    def finish(self) -> bytes:
        self._frames += self._lame.flush()
        frames = self._layout.frames_in(self._frames)
        padding = max(0, frames * self._layout.samples - ENCODER_DELAY - self._samples)
        return info_frame(self._layout, frames, len(self._frames), padding) + self._frames
