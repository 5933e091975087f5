"""A spoken chunk as it is kept: the segment of audio, and when each character of what the engine read is heard."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

KEPT_TYPE = "audio/vnd.antiphon.chunk"
"""What the object store is told: of audio it does not try whether it can be compressed."""
_HEADER = struct.Struct("<4sIQ")
_MAGIC = b"ANT1"


class NotKept(ValueError):
    """The bytes are no chunk that was kept here."""


@dataclass(frozen=True, slots=True)
class KeptChunk:
    """A segment of `samples` samples, and start and end times in seconds from its beginning."""

    segment: bytes
    samples: int
    starts: Sequence[float]
    ends: Sequence[float]

    def pack(self) -> bytes:
        """Return it as bytes: a header, both lists as little-endian doubles, the segment."""
        header = _HEADER.pack(_MAGIC, len(self.starts), self.samples)
        return b"".join((header, _doubles(self.starts), _doubles(self.ends), self.segment))


def unpack(content: bytes) -> KeptChunk:
    """Return the chunk that `pack` wrote. Raises NotKept."""
    if len(content) < _HEADER.size:
        raise NotKept("the chunk is cut off")
    magic, characters, samples = _HEADER.unpack_from(content)
    size = 8 * characters
    body = _HEADER.size + 2 * size
    if magic != _MAGIC or len(content) < body:
        raise NotKept("this is no chunk, or it is cut off")
    view = memoryview(content)
    return KeptChunk(
        segment=content[body:],
        samples=samples,
        starts=_from_doubles(view[_HEADER.size : _HEADER.size + size]),
        ends=_from_doubles(view[_HEADER.size + size : body]),
    )


def placed(times: Sequence[float], before: int, samples: int, sample_rate: int) -> list[float]:
    """Return times in a segment of `samples` samples as times in the file, in which it follows `before` samples.

    None lies behind the segment's end as the file's duration is told, which is samples by the rate: the sum of two such
    quotients may be rounded to more than the quotient of the sum, and speech would end after its audio.
    """
    begin, end = before / sample_rate, (before + samples) / sample_rate
    return [min(begin + time, end) for time in times]


def pack_times(starts: Sequence[float], ends: Sequence[float]) -> bytes:
    """Return both lists, which are of one length, as little-endian doubles."""
    return _doubles(starts) + _doubles(ends)


def unpack_times(content: bytes) -> tuple[Sequence[float], Sequence[float]]:
    """Return what `pack_times` wrote."""
    times = _from_doubles(memoryview(content))
    return times[: len(times) // 2], times[len(times) // 2 :]


def _doubles(times: Sequence[float]) -> bytes:
    doubles = array("d", times)
    if sys.byteorder == "big":
        doubles.byteswap()
    return doubles.tobytes()


def _from_doubles(data: memoryview) -> array[float]:
    doubles = array("d")
    doubles.frombytes(data)
    if sys.byteorder == "big":
        doubles.byteswap()
    return doubles
