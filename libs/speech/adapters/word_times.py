"""From the times of phonemes to the times of words, for models that time what they speak but not what they read.

An engine reads several words as one ("of the") and one as several ("25"), so counting words goes wrong. Each word is
turned into phonemes on its own as well; what both have in common, in order, says which phoneme belongs to which word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple
from unicodedata import category

from libs.speech.adapters.protocol import WordTime

_LONGEST_WORD = 40
"""Longer "words" are sentences in a script without spaces: one start for so much text is no timing."""

_LEAST_SHARE = 0.5
"""Of the words have to be found, or the times say too little."""

_SILENT = frozenset("ˈˌː ,.;:!?—…\"«»“”()[]{}|_^$-'")


class TimedPhoneme(NamedTuple):
    """A phoneme that begins at `start_seconds` of the audio."""

    phoneme: str
    start_seconds: float


class TextWord(NamedTuple):
    """A word of the text at code points `position` to `position + length`."""

    position: int
    length: int
    text: str


def words_of(text: str) -> list[TextWord]:
    """The words between white space that have a letter or digit, without the punctuation around them."""
    words = []
    for run in re.finditer(r"\S+", text):
        spoken = [index for index, character in enumerate(run[0]) if _is_spoken(character)]
        if any(run[0][index].isalnum() for index in spoken):
            begin, end = spoken[0], spoken[-1] + 1
            words.append(TextWord(run.start() + begin, end - begin, run[0][begin:end]))
    return words


def _is_spoken(character: str) -> bool:
    """Letters, digits, marks, and the signs that are read aloud next to them, as in "$5" and "5%"."""
    return character.isalnum() or character in "%&#@" or category(character)[0] in "MS"


def word_times(
    words: Sequence[TextWord], each_alone: Sequence[Iterable[str]], spoken: Sequence[TimedPhoneme]
) -> tuple[WordTime, ...] | None:
    """When each word begins: `each_alone` has the phonemes of every word by itself, `spoken` those of the whole text.

    Stress, length and punctuation do not count. Words of which nothing is found are left out; None if that is more than
    half of them, or if the text is not written in words.
    """
    if not words or not spoken or any(word.length > _LONGEST_WORD for word in words):
        return None
    alone = [
        (phoneme, index) for index, phonemes in enumerate(each_alone) for phoneme in phonemes if phoneme not in _SILENT
    ]
    heard = [timed for timed in spoken if timed.phoneme not in _SILENT]
    matcher = SequenceMatcher(
        None, [phoneme for phoneme, _ in alone], [timed.phoneme for timed in heard], autojunk=False
    )
    starts: dict[int, float] = {}
    for mine, theirs, length in matcher.get_matching_blocks():
        for step in range(length):
            starts.setdefault(alone[mine + step][1], heard[theirs + step].start_seconds)
    if len(starts) < _LEAST_SHARE * len(words):
        return None
    return tuple(WordTime(words[index].position, words[index].length, start) for index, start in sorted(starts.items()))
