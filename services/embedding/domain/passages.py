"""Passages: where the words of a query stand in them, and how many fit into a prompt. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.embedding.domain.ranking import Hit

HIGHLIGHTS_MOST = 50
_WORD = re.compile(r"\w+")
# Thai and Lao, Burmese, Khmer, kana, Han: two characters or more, as one is within too many words.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{2,}")
_HEADING_TOKENS = 6
"""Of a passage's number and its line breaks."""
_CHARACTERS_A_TOKEN = 3.5
"""Of an alphabetic script; models' tokenizers make 3.5 to 4.5 characters of English a token."""


def highlights(text: str, query: str) -> list[tuple[int, int]]:
    """Return where words of `query` stand in `text`, in any case: begin and end, in characters (code points).

    However letters with marks are composed. Scripts that put no spaces between words are searched for the query's words
    as they are.
    """
    words = [query[start:end] for start, end in _words(query)]
    wanted = {_folded(word) for word in words}
    places = [(start, end) for start, end in _words(text) if _folded(text[start:end]) in wanted]
    for run in {run for word in words for run in _UNSPACED.findall(word)}:
        places += [match.span() for match in re.finditer(re.escape(run), text)]
    return _apart(places)[:HIGHLIGHTS_MOST]


def _words(text: str) -> list[tuple[int, int]]:
    """Where words stand: letters and digits with the marks upon them."""
    found = [match.span() for match in _WORD.finditer(text)]
    if text.isascii():  # and so without marks; a search reads ten passages
        return found
    words: list[tuple[int, int]] = []
    for start, end in found:
        last = _past_marks(text, end)
        # A mark within a word parts it for the pattern.
        first = words.pop()[0] if words and words[-1][1] == start else start
        words.append((first, last))
    return words


def _past_marks(text: str, end: int) -> int:
    # After ASCII comes no mark mostly, and to ask for its category takes long.
    while end < len(text) and text[end] > "\x7f" and unicodedata.category(text[end]).startswith("M"):
        end += 1
    return end


def _apart(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In their order, without those that lie in others."""
    apart: list[tuple[int, int]] = []
    for start, end in sorted(places, key=lambda place: (place[0], -place[1])):
        if not apart or start >= apart[-1][1]:
            apart.append((start, end))
    return apart


def tokens_of(text: str) -> int:
    """Return about how many tokens a language model makes of `text`, rather too many than too few."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return wide + -int(-(len(text) - wide) // _CHARACTERS_A_TOKEN)


def within_budget(passages: Sequence[Hit], tokens: int) -> list[Hit]:
    """Return the best passages that fit into `tokens` with their titles, in the order given.

    One that is too long makes room for shorter ones; passages of one document that overlap are joined to one, and of
    those that several documents have word by word the best is told. If none fits, the best one is told as far as it
    does.
    """
    chosen: list[Hit] = []
    left = tokens
    for passage in passages:
        if any(other.text == passage.text for other in chosen):
            continue
        rest = _beyond(passage, chosen)
        cost = tokens_of(rest) + tokens_of(passage.title) + _HEADING_TOKENS
        if rest and cost <= left:
            chosen.append(passage)
            left -= cost
    return _joined(chosen) if chosen else _beginning(passages[:1], tokens)


def _beginning(passages: Sequence[Hit], tokens: int) -> list[Hit]:
    """Return as much of a passage as fits, in whole words, if any does."""
    fitting: list[Hit] = []
    for passage in passages:
        room = tokens - tokens_of(passage.title) - _HEADING_TOKENS
        text = passage.text[: max(0, int(room * _CHARACTERS_A_TOKEN))]
        while tokens_of(text) > room and text:
            text = text[: len(text) * room // tokens_of(text)]
        if text != passage.text and not passage.text[len(text)].isspace():
            text = (text.rsplit(maxsplit=1)[0] if any(map(str.isspace, text.strip())) else "") or text
        text = text.rstrip()
        if text:
            fitting.append(replace(passage, text=text, end=passage.start + len(text)))
    return fitting


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFKC", word).casefold()


def _beyond(passage: Hit, chosen: Sequence[Hit]) -> str:
    """Return what `passage` says that its document's chosen passages do not: its text without their overlap."""
    start, end = passage.start, passage.end
    for other in chosen:
        if other.document_id == passage.document_id and other.start < end and start < other.end:
            if other.start <= start:
                start = max(start, other.end)
            if other.end >= end:
                end = min(end, other.start)
    return passage.text[start - passage.start : max(0, end - passage.start)]


def _joined(chosen: Sequence[Hit]) -> list[Hit]:
    """Join passages of one document that overlap, at the place of the best of them."""
    joined: list[Hit] = []
    for passage in chosen:
        # One may close the gap between several, which are apart until then.
        places = [place for place, other in enumerate(joined) if _touch(other, passage)]
        if not places:
            joined.append(passage)
            continue
        whole = passage
        for place in reversed(places):
            whole = _union(joined.pop(place), whole)
        joined.insert(places[0], whole)
    return joined


def _touch(one: Hit, other: Hit) -> bool:
    return one.document_id == other.document_id and one.start <= other.end and other.start <= one.end


def _union(one: Hit, other: Hit) -> Hit:
    first, second = sorted((one, other), key=lambda passage: passage.start)
    text = first.text + second.text[max(0, first.end - second.start) :]
    return replace(one, text=text, start=first.start, end=max(first.end, second.end), score=max(one.score, other.score))
