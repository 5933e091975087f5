"""Texts of an exact length, no two of which share a sentence: nothing of them is there already."""

from __future__ import annotations

from itertools import count

from tests.bench.suites.main import text_of_100

_numbers = count(1)
# An odd factor permutes the numbers, so that neighbours differ in all their words and not in one alone.
_SPREAD, _NUMBERS = 0x9E3779B1, 2**25


def sentences(number: int) -> list[str]:
    """Return that many sentences of 100 characters, which no earlier call returned."""
    return [text_of_100(next(_numbers) * _SPREAD % _NUMBERS) for _ in range(number)]


def text_of(characters: int) -> str:
    """Return a text of exactly so many characters, 100 or more, whose sentences are all new."""
    joined = " ".join(sentences(-(-characters // 100)))
    return joined[: characters - 1] + "."
