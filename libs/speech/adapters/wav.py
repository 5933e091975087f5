"""The PCM in a WAV file that came over a network: headers are not to be believed."""

from __future__ import annotations

import array
import struct
import sys

_RIFF, _CHUNK, _FORMAT = struct.Struct("<4sI4s"), struct.Struct("<4sI"), struct.Struct("<HHIIHH")
_PCM, _EXTENSIBLE = 1, 0xFFFE
_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF)
"""What servers write for a length that they do not know yet when they begin to send."""

_RATES = range(8_000, 192_001)


class NotWav(Exception):
    """The bytes are no WAV file with 16-bit PCM; the message says what they are instead."""


class CutOff(Exception):
    """The file ends before its own length."""


def pcm_of_wav(data: bytes) -> tuple[bytes, int]:
    """The 16-bit little-endian mono PCM and its rate in Hz; channels are averaged. Raises NotWav or CutOff."""
    if len(data) < _RIFF.size:
        raise CutOff("the WAV file ends in its header")
    riff, _, wave = _RIFF.unpack_from(data)
    if (riff, wave) != (b"RIFF", b"WAVE"):
        raise NotWav("the audio is no WAV file")
    channels, rate = 0, 0
    at = _RIFF.size
    while at + _CHUNK.size <= len(data):
        name, size = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if name == b"fmt ":
            channels, rate = _format(data[at : at + size])
        elif name == b"data":
            if not channels:
                raise NotWav("the WAV file has its data before its format")
            return _mono(_data(data, at, size, 2 * channels), channels), rate
        at += size + size % 2
    raise CutOff("the WAV file ends before its data")


def _format(chunk: bytes) -> tuple[int, int]:
    if len(chunk) < _FORMAT.size:
        raise CutOff("the WAV file ends in its format")
    code, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
    if code not in (_PCM, _EXTENSIBLE) or bits != 16 or channels not in (1, 2) or rate not in _RATES:
        raise NotWav(f"the WAV file is {bits} bits, {channels} channels, {rate} Hz, code {code}; 16-bit PCM is needed")
    return channels, rate


def _data(data: bytes, at: int, size: int, frame: int) -> bytes:
    available = len(data) - at
    if size in _UNKNOWN_SIZES:
        return data[at : at + available - available % frame]
    if available < size:
        raise CutOff(f"the WAV file has {available} of {size} bytes of audio")
    return data[at : at + size - size % frame]


def _mono(pcm: bytes, channels: int) -> bytes:
    if channels == 1:
        return pcm
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    mixed = array.array("h", ((left + right) // 2 for left, right in zip(samples[::2], samples[1::2], strict=True)))
    if sys.byteorder == "big":
        mixed.byteswap()
    return mixed.tobytes()
