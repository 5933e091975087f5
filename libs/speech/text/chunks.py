"""The parts of a text that are spoken, stored and cached on their own.

A text that was edited shares most of its chunks with what it was before: where a chunk ends is decided by the sentence
it ends with, not by how far it is from the beginning.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from zlib import crc32

from libs.speech.text.graphemes import joined
from libs.speech.text.sentences import LONGEST_SENTENCE, sentence_ends, split_sentences

_SENTENCES_A_CHUNK = 4
"""How many sentences a chunk has on average, unless it gets too long for more."""
_ROOM = 5
"""One part in so many of the longest chunk is left free, so that a sentence can grow without parting its chunk."""


def split_chunks(text: str, language: str, *, most: int = 600) -> list[tuple[int, int]]:
    """Return groups of sentences as half-open spans of code points that follow each other and cover `text` exactly.

    The first one is the first sentence alone, so that it can be heard early. None has more than `most` characters
    (spaces around it not counted) unless it is a single sentence, and none is only white space unless the text is.
    """
    return list(_groups(text, split_sentences(text, language), most - most // _ROOM, first_alone=True))


def split_revised(text: str, language: str, previous: Sequence[str], *, most: int = 600) -> list[tuple[int, int]]:
    """Return chunks of `text`, an edit of what the texts in `previous` are together, as `split_chunks` does.

    The chunks before and after the edit stay as they are in `previous`; what lies between them is one chunk if it fits.
    """
    ends = sentence_ends(text, language)
    head = _kept_head(text, previous)
    while head and not _may_part(text, head[-1][1], ends):
        head.pop()
    start = head[-1][1] if head else 0
    tail = _kept_tail(text, previous[len(head) :], start)
    while tail and not _may_part(text, tail[0][0], ends):
        tail.pop(0)
    end = tail[0][0] if tail else len(text)
    middle = text[start:end]
    if middle and middle.isspace():
        if head:
            head[-1] = head[-1][0], end
        elif tail:
            tail[0] = start, tail[0][1]
        else:
            return [(start, end)]
        return head + tail
    return [*head, *_middle(text, start, end, language, most), *tail]


def _middle(text: str, start: int, end: int, language: str, most: int) -> Iterator[tuple[int, int]]:
    middle = text[start:end]
    sentences = [(start + first, start + last) for first, last in split_sentences(middle, language)]
    one = len(middle.strip()) <= most
    yield from _groups(text, sentences, most if one else most - most // _ROOM, first_alone=start == 0, hashed=not one)


def _groups(
    text: str, sentences: Sequence[tuple[int, int]], most: int, *, first_alone: bool, hashed: bool = True
) -> Iterator[tuple[int, int]]:
    """Yield the spans of the chunks that `sentences` make. With `hashed`, some end a chunk by what they say."""
    begin: int | None = None
    for index, (start, end) in enumerate(sentences):
        sentence = text[start:end]
        core = sentence.rstrip()
        if begin is not None and start + len(core) - begin > most:
            yield begin, start
            begin = None
        if begin is None:
            begin = start
        if (
            index == len(sentences) - 1
            or (index == 0 and first_alone)
            or sentence.count("\n", len(core)) > 1
            or (hashed and crc32(core.lstrip().encode("utf-8", "surrogatepass")) % _SENTENCES_A_CHUNK == 0)
        ):
            yield begin, end
            begin = None


def _kept_head(text: str, previous: Sequence[str]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    start = 0
    for chunk in previous:
        if not chunk.strip() or not text.startswith(chunk, start):
            break
        kept.append((start, start + len(chunk)))
        start += len(chunk)
    return kept


def _kept_tail(text: str, previous: Sequence[str], least: int) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    end = len(text)
    for chunk in reversed(previous):
        if not chunk.strip() or end - len(chunk) < least or not text.endswith(chunk, 0, end):
            break
        kept.append((end - len(chunk), end))
        end -= len(chunk)
    return kept[::-1]


def _may_part(text: str, place: int, ends: Sequence[int]) -> bool:
    """Tell whether chunks may meet at `place`: where a sentence ends, or where one is too long to stay in one piece."""
    if joined(text, place, max(0, place - LONGEST_SENTENCE)):
        return False
    index = bisect_left(ends, place)
    if place == 0 or index == len(ends) or ends[index] == place or text[place : ends[index]].isspace():
        return True
    begin = ends[index - 1] if index else 0
    return len(text[begin : ends[index]].strip()) > LONGEST_SENTENCE and (
        text[place - 1].isspace() or not (text[place - 1].isascii() and text[place].isascii())
    )
