"""Which plain characters the engine's words are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from libs.speech.alignment import Word
from libs.speech.text.reading import NOTHING, Reading

_FARTHEST_LETTER = 1000
"""Tags between a word and its position are shorter, all together."""


def plain_positions(words: Sequence[Word], reading: Reading) -> list[Word]:
    """Return the engine's words at plain positions, where `words` have positions in the text of `reading`.

    Measured with eSpeak NG 1.52: a word's position is that of its first code point in what the engine was given, markup
    counted, except that a character reference is where it ends (the `;` of `&amp;`), that of several words for one
    symbol the later are at what follows it, and that the word after an abbreviation is at the dot or at the blank. So
    a word is at the first character with an origin, from its position on, or at the next letter if no other word is
    there; what comes of text that stands for nothing is part of the word before it. Words would be off by one after
    some tags: `Markup.render` writes those so that they are not.
    """
    following = _following(reading.origins)
    heard = [word for word in words if 0 <= word.position < len(following) and following[word.position] != NOTHING]
    placed: list[Word] = []
    for index, word in enumerate(heard):
        first = following[word.position]
        letter = _next_letter(reading, word.position)
        if letter != NOTHING and (index + 1 == len(heard) or following[heard[index + 1].position] > letter):
            first = letter
        spanned = reading.origins[word.position : word.position + word.length]
        placed.append(Word(first, max(first, *spanned, NOTHING) + 1 - first, word.sample))
    return placed


def _next_letter(reading: Reading, position: int) -> int:
    """The origin of the letter or digit that comes after a dot or a blank at `position`, or NOTHING."""
    for index in range(position, min(position + _FARTHEST_LETTER, len(reading.text))):
        if reading.origins[index] == NOTHING:
            continue
        character = reading.text[index]
        if character.isalnum() and index > position:
            return reading.origins[index]
        if character != "." and not character.isspace():
            break
    return NOTHING


def _following(origins: Sequence[int]) -> list[int]:
    """For each character the origin of the first at or after it that has one, or NOTHING."""
    following = list(origins)
    for index in range(len(following) - 2, -1, -1):
        if following[index] == NOTHING:
            following[index] = following[index + 1]
    return following
