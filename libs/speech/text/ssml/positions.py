"""Which plain characters the engine's words are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import category

from libs.speech.alignment import Word
from libs.speech.text.reading import NOTHING, Reading


def plain_positions(words: Sequence[Word], reading: Reading, plain: str) -> list[Word]:
    """Return the engine's words at plain positions, where `words` have positions in the text of `reading`.

    Measured with eSpeak NG 1.52: the positions are those of the code points given, markup counted, with these
    exceptions. After a mark at the beginning of a sentence a word begins one character late ("gain" of "Again"). A
    symbol may begin at the blank or at the reference's last character (`;` of `&amp;`). So a word is at the first
    character with an origin at or after its position, and begins where its letters do.
    """
    following = _following(reading.origins)
    placed: list[Word] = []
    reached = 0
    for word in words:
        if not 0 <= word.position < len(following) or (first := following[word.position]) == NOTHING:
            continue
        stop = first + 1
        for origin in reading.origins[word.position : word.position + word.length]:
            if origin != NOTHING:
                stop = max(stop, origin + 1)
        begin = first
        while begin > reached and _in_word(plain[begin]) and _in_word(plain[begin - 1]):
            begin -= 1
        placed.append(Word(begin, stop - begin, word.sample))
        reached = max(reached, stop)
    return placed


def _following(origins: Sequence[int]) -> list[int]:
    """For each character the origin of the first at or after it that has one, or NOTHING."""
    following = list(origins)
    for index in range(len(following) - 2, -1, -1):
        if following[index] == NOTHING:
            following[index] = following[index + 1]
    return following


def _in_word(character: str) -> bool:
    return character.isalnum() or category(character)[0] == "M"
