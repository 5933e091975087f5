"""WAV files for tests: real ones and odd ones."""

from __future__ import annotations

import struct


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def layout(*, kind: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, more: bytes = b"") -> bytes:
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, bits) + more


def silence(seconds: float, *, rate: int = 16_000, channels: int = 1, bits: int = 16) -> bytes:
    samples = bytes(round(seconds * rate) * channels * bits // 8)
    return riff((b"fmt ", layout(rate=rate, channels=channels, bits=bits)), (b"data", samples))
