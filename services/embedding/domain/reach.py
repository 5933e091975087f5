"""Whether to compare a query with all chunks or to ask the approximate index. Pure."""

from __future__ import annotations

import math
from typing import Final

ALWAYS_COMPARED: Final = 1_000
"""Chunks that take a millisecond to compare: no index is worth its misses there."""
MOST_COMPARED: Final = 20_000
"""Chunks that take 20 ms to compare. Beyond, the index is asked first however little of it is the organisation's."""
_STEP_COST: Final = 5.0
"""What a chunk met on the way through the index costs, in comparisons of one: 5 µs against 1 µs were measured."""


def most_compared(total: int, wanted: int) -> int:
    """Return up to how many chunks are all compared where `total` are kept and `wanted` are to be found.

    The index meets others' chunks too: for each one that counts as many as there are in all for each that counts. So
    with n that count, comparing takes n and the index wanted * total / n steps, and both the same at the root of that.
    """
    even = math.isqrt(round(_STEP_COST * max(wanted, 1) * max(total, 0)))
    return min(max(even, ALWAYS_COMPARED), MOST_COMPARED)
