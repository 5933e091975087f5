"""μ-law and A-law (ITU-T G.711) from 16-bit samples, by one table each."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ULAW_BIAS = 132  # moves the segments' borders to powers of two
_ULAW_CLIP = 32_635


def ulaw(pcm: bytes) -> bytes:
    """One byte a sample; silence is 0xFF."""
    return _look_up(_ulaw_table(), pcm)


def alaw(pcm: bytes) -> bytes:
    """One byte a sample; silence is 0xD5."""
    return _look_up(_alaw_table(), pcm)


def _look_up(table: NDArray[np.uint8], pcm: bytes) -> bytes:
    import numpy as np

    codes: NDArray[np.uint8] = table[np.frombuffer(pcm, dtype="<u2")]
    return codes.tobytes()


@cache
def _ulaw_table() -> NDArray[np.uint8]:
    """The code of each 16-bit pattern: sign, segment, four bits of the place in it; all inverted."""
    import numpy as np

    values = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(values), _ULAW_CLIP) + _ULAW_BIAS
    exponent = np.log2(magnitude).astype(np.int32) - 7
    mantissa = magnitude >> exponent + 3 & 0x0F
    sign = np.where(values < 0, 0x80, 0)
    codes: NDArray[np.uint8] = (~(sign | exponent << 4 | mantissa) & 0xFF).astype(np.uint8)
    return codes


@cache
def _alaw_table() -> NDArray[np.uint8]:
    """As above, but the two lowest segments are one line, and every other bit is inverted."""
    import numpy as np

    values = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(values < 0, ~values, values)
    exponent = np.log2(np.maximum(magnitude, 128)).astype(np.int32) - 7
    mantissa = magnitude >> np.maximum(exponent, 1) + 3 & 0x0F
    sign = np.where(values < 0, 0, 0x80)
    codes: NDArray[np.uint8] = ((sign | exponent << 4 | mantissa) ^ 0x55).astype(np.uint8)
    return codes
