"""The parts of an mp3 that LAME does not write here: the Info frame, and silent frames at the end.

Sources: ISO/IEC 11172-3 and 13818-3 for frames, Gabriel Bouvigne's "Mp3 info tag specification" for the Info frame.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

ENCODER_DELAY = 576
"""Samples that LAME puts before the first one."""
DECODER_DELAY = 529
"""Samples that every decoder adds to them, and that an Info frame does not count."""
OVERHANG = 1152
"""What LAME adds to a segment in samples, at least: its delay and as much at the end as the decoder's delay needs."""

_MPEG_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)  # of MPEG-1, in the order of their index; version 2 has halves, 2.5 quarters
_INFO_KBPS = 64  # the smallest bit rate whose frame holds all fields at all sample rates
_UNKNOWN_BYTES = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """Mono frames of a sample rate in Hz and a bit rate in kbit/s. The sample rate decides the MPEG version."""

    sample_rate: int
    bit_rate_kbps: int

    @property
    def samples(self) -> int:
        """In a frame."""
        return 1152 if self.sample_rate >= _RATES[2] else 576

    @property
    def mean_bytes(self) -> float:
        """Of a frame. Single ones are rounded down or up so that this is the mean."""
        return self.samples // 8 * 1000 * self.bit_rate_kbps / self.sample_rate

    def frames_in(self, data: bytes | bytearray | memoryview) -> int:
        """How many whole frames one segment or file without Info frame has."""
        return round(len(data) / self.mean_bytes)

    def silent_frame(self) -> bytes:
        """A frame that has no contents, so that a decoder plays what the ones before left and then silence."""
        factor = next(factor for factor in (1, 2, 4) if self.sample_rate * factor in _RATES)
        version = {1: 0b11, 2: 0b10, 4: 0b00}[factor]
        bit_rate_index = (_MPEG_1 if factor == 1 else _MPEG_2).index(self.bit_rate_kbps) + 1
        rate_index = _RATES.index(self.sample_rate * factor)
        header = (0xFF, 0xE0 | version << 3 | 0b01 << 1 | 1, bit_rate_index << 4 | rate_index << 2, 0xC4)
        return bytes(header).ljust(int(self.mean_bytes), b"\0")


def info_frame(layout: FrameLayout, frames: int | None, audio_bytes: int, padding: int) -> bytes:
    """A silent frame that declares the number of frames, the delay before and the padding after the speech.

    With `frames` None, for a live stream, it declares the delay alone.
    """
    silent = FrameLayout(layout.sample_rate, _INFO_KBPS).silent_frame()
    side_info = 17 if layout.samples == 1152 else 9
    known = frames is not None and audio_bytes + len(silent) < _UNKNOWN_BYTES
    file_bytes = audio_bytes + len(silent) if known else _UNKNOWN_BYTES
    if frames is None:
        xing = struct.pack(">4sII", b"Info", 0x02, _UNKNOWN_BYTES)
    else:
        contents = bytes(index * 256 // 100 for index in range(100))
        xing = struct.pack(">4sIII", b"Info", 0x0F, frames, file_bytes) + contents + struct.pack(">I", 0)
    lame = struct.pack(">9sBB8sBB", b"LAME3.100", 0x01, 0, bytes(8), 0, min(layout.bit_rate_kbps, 255))
    gap = (ENCODER_DELAY << 12 | min(padding, 0xFFF)).to_bytes(3, "big")
    tail = struct.pack(">BBHI", 0, 0, 0, file_bytes)
    return (silent[:4] + bytes(side_info) + xing + lame + gap + tail).ljust(len(silent), b"\0")
