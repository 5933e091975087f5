"""What the parent and a bounded process say to each other: a JSON header and a body, their sizes before them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = struct.Struct("<II")
"""Bytes of the header, bytes of the body."""
EXIT_MEMORY = 3
"""Exit status: the file needed more memory than it may have."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one file may take: seconds of the clock and of CPU, and bytes of memory beyond the code's own."""

    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int


# Any: what JSON holds.
def pack(header: Mapping[str, Any], body_bytes: int) -> bytes:
    """Return everything before the body."""
    encoded = json.dumps(header, allow_nan=False).encode()
    return PREFIX.pack(len(encoded), body_bytes) + encoded
