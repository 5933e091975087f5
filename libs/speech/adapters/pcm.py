"""PCM as every engine delivers it: signed 16-bit little-endian mono."""

from __future__ import annotations

from typing import Any

import numpy as np

SHORTEST_SECONDS = 0.2
"""What has no sound becomes this much silence: players and tracks need a duration above zero."""


def from_floats(samples: Any) -> bytes:  # whatever array a model made
    """Samples between -1 and 1, in any shape, as PCM; louder ones are clipped, those that are no number are silent."""
    flat = np.nan_to_num(np.asarray(samples, dtype=np.float32).ravel())
    return (np.clip(flat, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


def silence(sample_rate: int) -> bytes:
    """The shortest speech."""
    return bytes(2 * int(sample_rate * SHORTEST_SECONDS))
