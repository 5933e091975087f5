"""From 16-bit mono PCM to files: mp3 as it comes in, wav at the end.

An encoder takes PCM in pieces and gives back the file. The mp3 carries the header frame ("Info") in which LAME declares
its delay and padding, so that a decoder plays exactly the samples that were spoken and timings fit without an offset.
"""

from __future__ import annotations

import io
import struct
import wave
from typing import Protocol

import lameenc

BIT_RATE_KBPS = 64
QUALITY = 7
"""LAME's 0 (best) to 9. At 64 kbit/s mono 7 takes 40 ms for 28 s of speech; 5 is slower and, for speech, no better."""

_ENCODER_DELAY = 576  # samples that LAME puts before the first one; decoders add 529 of their own
_SAMPLES_PER_FRAME = {1: 1152, 2: 576}  # by MPEG version
_SIDE_INFO_BYTES = {1: 17, 2: 9}  # of a mono frame
_INFO_KBPS = 64  # the smallest bit rate whose frame holds all fields at all sample rates of versions 1 and 2
_INFO_BIT_RATE_INDEX = {1: 5, 2: 8}
_LOWEST_RATE_OF_VERSION_1 = 32_000


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
        self._sample_rate = sample_rate
        self._bit_rate_kbps = bit_rate_kbps
        self._samples = 0
        self._frames = bytearray()
        self._lame = lameenc.Encoder()
        self._lame.silence()
        self._lame.set_channels(1)
        self._lame.set_in_sample_rate(sample_rate)
        self._lame.set_out_sample_rate(sample_rate)
        self._lame.set_bit_rate(bit_rate_kbps)
        self._lame.set_quality(QUALITY)

    def feed(self, pcm: bytes) -> None:
        self._samples += len(pcm) // 2
        self._frames += self._lame.encode(pcm)

    def finish(self) -> bytes:
        self._frames += self._lame.flush()
        return self._info_frame() + self._frames

    def _info_frame(self) -> bytes:
        """A silent frame that declares the number of frames, the delay before and the padding after the speech."""
        version = 1 if self._sample_rate >= _LOWEST_RATE_OF_VERSION_1 else 2
        per_frame = _SAMPLES_PER_FRAME[version]
        bytes_per_kbps = per_frame // 8 * 1000 / self._sample_rate
        frames = round(len(self._frames) / (bytes_per_kbps * self._bit_rate_kbps))
        size = int(bytes_per_kbps * _INFO_KBPS)
        padding = max(0, frames * per_frame - _ENCODER_DELAY - self._samples)
        header = bytearray(self._frames[:4])
        header[1] |= 0x01  # no checksum
        header[2] = _INFO_BIT_RATE_INDEX[version] << 4 | header[2] & 0x0C  # the sample rate stays, no byte more
        contents = bytes(index * 256 // 100 for index in range(100))
        xing = struct.pack(">4sIII", b"Info", 0x0F, frames, size + len(self._frames)) + contents + struct.pack(">I", 0)
        lame = struct.pack(">9sBB8sBB", b"LAME3.100", 0x01, 0, bytes(8), 0, self._bit_rate_kbps)
        gap = (_ENCODER_DELAY << 12 | min(padding, 0xFFF)).to_bytes(3, "big")
        tail = struct.pack(">BBHI", 0, 0, 0, size + len(self._frames))
        return (bytes(header) + bytes(_SIDE_INFO_BYTES[version]) + xing + lame + gap + tail).ljust(size, b"\0")
