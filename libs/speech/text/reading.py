"""What an engine reads in place of the text that a client sent, and which character stands for which.

Markup, dictionaries and normalisation each change the text. Every step says for each character that it wrote which
character it was given it stands for; chained, they lead from the engine's times back to the client's characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NOTHING = -1
"""The origin of a character that stands for none of the source, such as markup."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`text`, and for each of its code points the index of the one in the source that it stands for, or NOTHING.

    Origins other than NOTHING never decrease. A source character may have several characters or none.
    """

    text: str
    origins: Sequence[int]

    def __post_init__(self) -> None:
        if len(self.text) != len(self.origins):
            raise ValueError(f"{len(self.text)} characters have {len(self.origins)} origins")

    @classmethod
    def plain(cls, text: str) -> Reading:
        """Return `text` read as it is."""
        return cls(text, range(len(text)))

    def then(self, next_step: Reading) -> Reading:
        """Return the reading of this reading's source, where `next_step` is a reading of this reading's text."""
        return Reading(
            next_step.text,
            [NOTHING if origin == NOTHING else self.origins[origin] for origin in next_step.origins],
        )


def spread(length: int, start: int, end: int) -> list[int]:
    """Return origins for `length` characters that stand together for the source's `start` to before `end`."""
    return [start + index * (end - start) // length for index in range(length)] if end > start else [start] * length


def source_times(
    length: int, origins: Sequence[int], starts: Sequence[float], ends: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return when each of the source's `length` characters is heard, of when each character of its reading is.

    A character that nothing was read for is heard for no time, where the one before it ends. Starts and ends never
    decrease and no end lies before its start, if that holds for those given.
    """
    if origins == range(length):
        return list(starts), list(ends)
    first: list[float | None] = [None] * length
    last: list[float] = [0.0] * length
    for origin, start, end in zip(origins, starts, ends, strict=True):
        if origin == NOTHING:
            continue
        if first[origin] is None:
            first[origin] = start
        last[origin] = max(last[origin], end)
    source_starts: list[float] = []
    source_ends: list[float] = []
    now = 0.0
    for index in range(length):
        begin = first[index]
        start = now if begin is None else max(begin, source_starts[-1] if source_starts else 0.0)
        end = start if begin is None else max(last[index], start, source_ends[-1] if source_ends else 0.0)
        source_starts.append(start)
        source_ends.append(end)
        now = end
    return source_starts, source_ends
