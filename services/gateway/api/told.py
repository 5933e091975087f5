"""An error as it goes to a client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """The answer that tells an error."""

    status: int
    body: bytes
    media_type: str
    headers: Mapping[str, str]
