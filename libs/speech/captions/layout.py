"""What a subtitle shows of a text: words with the punctuation around them, and where lines may break. Pure.

A column is a letter; ideographs, kana and full-width forms take two, so that a line of 42 holds 21 of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category, east_asian_width

from libs.speech.captions.levels import Timed

AT_CLAUSE, AT_SPACE, INSIDE = 0.0, 0.3, 1.0
"""What it costs to break: after a clause or at a pause, at a space or between ideographs, anywhere else."""

_AUDIBLE_PAUSE = 0.3  # seconds: listeners take less for articulation
_SHORT = 3
_NOT_SHOWN = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_OPENING = frozenset(("Ps", "Pi"))
_ENDINGS = frozenset(map(chr, [*range(0x3041, 0x30A0), 0x3005, 0x30FC]))
_CLAUSE = re.compile(r"[,;:.!?…—–،؛؟۔।॥，、；：。！？｡､․၊။።፣፤]")


class Piece(NamedTuple):
    """A word as it is shown: heard from `start` to `end` seconds, `columns` wide, followed by a space if `spaced`.

    `cost` is what breaking after it costs.
    """

    text: str
    start: float
    end: float
    columns: int
    spaced: bool
    cost: float


def pieces(text: str, spoken: Sequence[Timed], begin: int, stop: int) -> list[Piece]:
    """Return the words of one sentence as they are shown; the sentence is code points `begin` to before `stop`."""
    shown: list[Piece] = []
    lead = _leading(text[begin : spoken[0].start_index])
    for index, word in enumerate(spoken):
        following = spoken[index + 1] if index + 1 < len(spoken) else None
        if following is None:
            tail, spaced, next_lead, cost = _trailing(text[word.end_index : stop]), False, "", AT_CLAUSE
        else:
            tail, spaced, next_lead = _parted(text[word.end_index : following.start_index])
            paused = following.start - word.end >= _AUDIBLE_PAUSE or (tail and _CLAUSE.search(tail))
            cost = AT_CLAUSE if paused else _cost((word.text + tail)[-1], (next_lead + following.text)[0], spaced)
        whole = lead + word.text + tail
        shown.append(Piece(whole, word.start, word.end, columns(whole), spaced, cost))
        lead = next_lead
    return shown


def lines(run: Sequence[Piece], longest: int) -> list[Sequence[Piece]]:
    """Return `run` as one line, or as two that break after a clause if there is one near the middle.

    No line is wider than `longest` columns unless it is one piece, if `run` can be broken so at all.
    """
    edges = [0]
    for piece in run:
        edges.append(edges[-1] + piece.columns + piece.spaced)
    total = edges[-1] - run[-1].spaced
    if total <= longest or len(run) == 1:
        return [run]

    def cost(split: int) -> float:
        first, second = edges[split] - run[split - 1].spaced, total - edges[split]
        over = (first > longest and split > 1) + (second > longest and split + 1 < len(run))
        return over * 100 + abs(first - second) / longest + run[split - 1].cost

    best = min(range(1, len(run)), key=cost)
    return [run[:best], run[best:]]


def columns(text: str) -> int:
    """Return how wide `text` is, at least 1: marks take no column, ideographs and emoji two."""
    return max(1, len(text) if text.isascii() else sum(map(_columns, text)))


@lru_cache(maxsize=65_536)
def _columns(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _cost(last: str, first: str, spaced: bool) -> float:
    """Return what it costs to break between these two characters; hiragana are the end of what stands before them."""
    return AT_SPACE if spaced or (_columns(last) == 2 and first not in _ENDINGS) else INSIDE


def _leading(gap: str) -> str:
    """Return what is shown of the text before the first word: a dash or quotes, not a row of asterisks."""
    gap = _NOT_SHOWN.sub(" ", gap).lstrip()
    return gap if len(gap) <= _SHORT else gap.rpartition(" ")[2]


def _trailing(gap: str) -> str:
    """Return what is shown of the text after the last word."""
    near, _, far = _NOT_SHOWN.sub(" ", gap).rstrip().partition(" ")
    return f"{near} {far}" if far and len(far) <= _SHORT else near


def _parted(gap: str) -> tuple[str, bool, str]:
    """Return what the word before the gap is shown with, whether a space follows, and what comes before the next."""
    if gap in ("", " "):  # between nearly all words
        return "", gap == " ", ""
    gap = _NOT_SHOWN.sub(" ", gap)
    if " " in gap:
        before, _, after = gap.rpartition(" ")
        return _trailing(before), True, after
    closing = len(gap)
    while closing and (category(gap[closing - 1]) in _OPENING or gap[closing - 1] in "¿¡"):
        closing -= 1
    return gap[:closing], False, gap[closing:]
