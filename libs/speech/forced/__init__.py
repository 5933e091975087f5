"""Times of the characters of recordings that came without."""

from __future__ import annotations

from typing import Final

LEAST_AGREEMENT: Final = 0.45
"""Below it, the audio hardly speaks the text: recordings of other texts stay below, those of the same text above."""
