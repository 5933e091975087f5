"""What is looked for by words: which of them are asked for, and which of them say most. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

WORDS_MOST: Final = 12
"""Words that chunks are ranked by: the rarest of a long question. The database takes no more."""
SAMPLED: Final = 256
"""Chunks of a large organisation by which it is known how rare its words are."""
PAIRED: Final = 3
"""Words of which pairs are looked for besides those that are rare alone."""

_TOKEN = re.compile(r'(-*)(?:"([^"]*)(?:"|$)|([^\s"]+))')
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Words:
    """A query taken apart: `phrases` have to be in what is found, `without` must not; of `any_of` the more the better.

    Of those one at least unless there are phrases.
    Each of them may be several words to the database: KX-2201 is the word KX followed by 2201.
    """

    any_of: Sequence[str]
    phrases: Sequence[str]
    without: Sequence[str]
    has_choice: bool = False
    """Whether it says `or`: then what has all that is asked for need not have all of the words."""


def read_words(query: str) -> Words:
    """Read a query as people write it: `"a phrase"`, `-without`, `or` between words."""
    any_of: dict[str, None] = {}
    phrases: list[str] = []
    without: list[str] = []
    for minuses, phrase, word in _TOKEN.findall(query):
        text = (phrase or word).lower()
        if not _WORD.search(text):
            continue
        # Twice is not at all, as the database has it.
        if len(minuses) % 2:
            without.append(text)
        elif phrase:
            phrases.append(text)
        else:
            any_of[text] = None
    has_choice = "or" in any_of
    if len(any_of) > 1:
        any_of.pop("or", None)
    return Words(tuple(any_of), phrases, without, has_choice)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How many of a sample of `chunks` have a word, by word; those that hardly any has are not among them."""

    chunks: int
    counts: Mapping[str, int]

    def share(self, word: str) -> float:
        """Return about which share of all chunks has `word`: of several to the database, the rarest."""
        return min((self._share(part) for part in _WORD.findall(word)), default=self.unknown)

    @property
    def unknown(self) -> float:
        """The share of words that hardly any has."""
        return max(self.chunks // 100, 1) / 2 / max(self.chunks, 1)

    def _share(self, word: str) -> float:
        return self.counts[word] / self.chunks if word in self.counts else self.unknown


ANY: Final[tuple[int, ...]] = ()
ALL: Final = (0,)


@dataclass(frozen=True, slots=True)
class Weighed:
    """Words from the rarest on, the weights of the first WORDS_MOST, and the combinations to look for, best first.

    A combination has the places of its words, from 1, all of which a chunk has to have; or is ANY word, or ALL of what
    is asked for.
    """

    words: Sequence[str]
    weights: Sequence[float]
    combinations: Sequence[tuple[int, ...]]


def weigh(asked: Words, vocabulary: Vocabulary, chunks: int, most: int) -> Weighed:
    """Weigh words by how rare they are among `chunks`; combinations that more than `most` are likely to have come last.

    A weight is the square of the inverse document frequency: of the first power, the square and others it ranked best.
    """
    share = {word: vocabulary.share(word) for word in asked.any_of}
    words = sorted(asked.any_of, key=lambda word: (share[word], -len(word)))
    expected = [share[word] * chunks for word in words]
    weights = [math.log(1 + (chunks - count + 0.5) / (count + 0.5)) ** 2 for count in expected[:WORDS_MOST]]
    together, likely = 0, float(chunks)
    while together < len(words) and likely > most / 25:
        likely *= share[words[together]]
        together += 1
    first = ALL if asked.has_choice or not words else tuple(range(1, together + 1))
    rare = [
        (place,)
        for place, word in enumerate(words[:WORDS_MOST], start=1)
        if share[word] <= max(vocabulary.unknown, most / max(chunks, 1))
    ]
    common = range(len(rare) + 1, min(len(rare) + PAIRED, len(words)) + 1)
    pairs = [pair for pair in combinations(common, 2) if expected[pair[0] - 1] * share[words[pair[1] - 1]] <= most]
    last = [tuple(common), tuple(common[:1])] if common else []
    some = dict.fromkeys([first, *rare, *pairs, *last])
    some.pop(ANY, None)
    return Weighed(words, weights, [*some, ANY] if words else [ALL])
