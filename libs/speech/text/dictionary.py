"""Pronunciation dictionaries: what is said in place of what is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from unicodedata import category

from libs.speech.text.graphemes import joined
from libs.speech.text.ipa import grouped, to_mnemonics
from libs.speech.text.reading import NOTHING, Reading, spread

MOST_DICTIONARIES = 3
MOST_RULES = 1000
"""In one dictionary."""
LONGEST_PHRASE = 100
LONGEST_REPLACEMENT = 500

_HARMLESS = "\u200b"
"""Keeps two brackets of the client's from being taken for the beginning of phonemes, and is not heard."""
_PREFIX = 4  # characters that are looked at before a phrase is looked up
_SPACELESS = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u312f\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff]"
)
"""Scripts that put no space between words, or none between a word and what is attached to it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Say `replacement` where `phrase` stands: as text ("alias") or as sounds ("ipa").

    With `whole_words`, letters or digits beside the phrase rule it out, except in scripts without spaces between words.
    Raises ValueError if a part is empty or too long, or if a symbol is not one of the phonetic alphabet's.
    """

    kind: Literal["alias", "ipa"]
    phrase: str
    replacement: str
    case_sensitive: bool = True
    whole_words: bool = True

    def __post_init__(self) -> None:
        for part, text, most in (
            ("phrase", self.phrase, LONGEST_PHRASE),
            ("replacement", self.replacement, LONGEST_REPLACEMENT),
        ):
            if not text.strip() or len(text) > most:
                raise ValueError(f"the {part} of a rule must have 1 to {most} characters, not only spaces")
        if self.kind == "ipa":
            to_mnemonics(self.replacement, "")


class Lexicon:
    """Dictionaries that are read together, the first one first.

    `language` is the BCP-47 tag of the voice that reads. Without `phonemes`, for an engine that does not take eSpeak
    NG's, the rules with IPA are left out.

    Where phrases of several dictionaries begin at one place, the first dictionary's wins; within one the longest, then
    the first. What a rule wrote is not read again. Raises ValueError if they are more or larger than may be.
    """

    def __init__(self, *dictionaries: Sequence[Rule], language: str = "en", phonemes: bool = True) -> None:
        if len(dictionaries) > MOST_DICTIONARIES:
            raise ValueError(f"{len(dictionaries)} dictionaries are given; {MOST_DICTIONARIES} can be used at a time")
        for rules in dictionaries:
            if len(rules) > MOST_RULES:
                raise ValueError(f"a dictionary has {len(rules)} rules; it may have {MOST_RULES}")
        used = [[rule for rule in rules if phonemes or rule.kind == "alias"] for rules in dictionaries]
        self._dictionaries = [_Dictionary(rules, language) for rules in used]
        beginnings = {_fold(rule.phrase)[:_PREFIX] for rules in used for rule in rules}
        self._beginning = re.compile(f"(?={_any_of(beginnings)})") if beginnings else None

    def read(self, text: str) -> Reading:
        """Return what is to be read. None of `text` itself can be taken for eSpeak NG's `[[phonemes]]` in it."""
        writer = _Writer(text)
        for start, end, replacement, is_phonemes in self._matches(text):
            writer.copy(start)
            writer.replace(end, replacement, is_phonemes=is_phonemes)
        writer.copy(len(text))
        return writer.reading()

    def _matches(self, text: str) -> Iterator[tuple[int, int, str, bool]]:
        if self._beginning is None:
            return
        folded = _fold(text)
        free = 0
        for beginning in self._beginning.finditer(folded):
            start = beginning.start()
            if start < free or joined(text, start, free):
                continue
            for dictionary in self._dictionaries:
                if found := dictionary.find(text, folded, start):
                    free, replacement, is_phonemes = found
                    yield start, free, replacement, is_phonemes
                    break


class _Dictionary:
    """The rules of one dictionary, by their phrases in small letters."""

    def __init__(self, rules: Sequence[Rule], language: str) -> None:
        self._rules = tuple(rules)
        self._phonemes = [to_mnemonics(rule.replacement, language) if rule.kind == "ipa" else None for rule in rules]
        self._phrases: dict[str, dict[tuple[str | None, bool], int]] = {}
        lengths: dict[str, set[int]] = {}
        for index, rule in enumerate(rules):
            folded = _fold(rule.phrase)
            cased = rule.phrase if rule.case_sensitive else None
            self._phrases.setdefault(folded, {}).setdefault((cased, rule.whole_words), index)
            lengths.setdefault(folded[:_PREFIX], set()).add(len(folded))
        self._lengths = {prefix: sorted(each, reverse=True) for prefix, each in lengths.items()}
        self._is_whole = all(rule.whole_words for rule in rules)

    def find(self, text: str, folded: str, start: int) -> tuple[int, str, bool] | None:
        """Return where the phrase at `start` ends, what is said for it, and whether that is phonemes."""
        at_edge = _is_edge(text, start)
        if self._is_whole and not at_edge:
            return None
        phrases = self._phrases
        for size in range(_PREFIX, 0, -1):
            for length in self._lengths.get(folded[start : start + size], ()):
                end = start + length
                found = phrases.get(folded[start:end])
                if found and (index := _first(found, text, start, end, at_edge=at_edge)) is not None:
                    phonemes = self._phonemes[index]
                    return end, phonemes or self._rules[index].replacement, phonemes is not None
        return None


def _first(found: dict[tuple[str | None, bool], int], text: str, start: int, end: int, *, at_edge: bool) -> int | None:
    """Return the first of the rules for a phrase that its letters and its neighbours allow."""
    if joined(text, end, start):
        return None
    wholes = (False, True) if at_edge and _is_edge(text, end) else (False,)
    indexes = [found.get((cased, whole)) for cased in (text[start:end], None) for whole in wholes]
    return min((index for index in indexes if index is not None), default=None)


class _Writer:
    """Puts a reading together, and sees to it that brackets of the client's never stand for phonemes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._place = 0
        self._parts: list[str] = []
        self._origins: list[int] = []

    def copy(self, end: int) -> None:
        """Write the source as it is up to `end`."""
        self._write(self._source[self._place : end], range(self._place, end))
        self._place = end

    def replace(self, end: int, replacement: str, *, is_phonemes: bool) -> None:
        """Write `replacement` for the source up to `end`."""
        if is_phonemes:
            self._part_brackets("[")
            said = grouped(replacement)
            self._parts.append(said)
            self._origins.extend(spread(len(said), self._place, end))
        else:
            self._write(replacement, spread(len(replacement), self._place, end))
        self._place = end

    def reading(self) -> Reading:
        """Return what was written."""
        return Reading("".join(self._parts), self._origins)

    def _write(self, text: str, origins: Sequence[int]) -> None:
        if not text:
            return
        if "[[" in text:
            for character, origin in zip(text, origins, strict=True):
                self._write(character, (origin,))
            return
        self._part_brackets(text)
        self._parts.append(text)
        self._origins.extend(origins)

    def _part_brackets(self, following: str) -> None:
        if following.startswith("[") and self._parts and self._parts[-1].endswith("["):
            self._parts.append(_HARMLESS)
            self._origins.append(NOTHING)


def _is_edge(text: str, index: int) -> bool:
    """Tell whether a word may begin or end at `index`."""
    if not 0 < index < len(text):
        return True
    return not (_is_of_word(text[index - 1]) and _is_of_word(text[index]))


def _is_of_word(character: str) -> bool:
    if not (character.isalnum() or character == "_" or category(character)[0] == "M"):
        return False
    return _SPACELESS.match(character) is None


class _Fold(dict[int, int]):
    """Small letters for capitals, one for one, so that places in a text stay what they are."""

    def __missing__(self, code: int) -> int:
        lower = chr(code).lower()
        self[code] = ord(lower) if len(lower) == 1 else code
        return self[code]


_FOLD = _Fold()


def _fold(text: str) -> str:
    return text.translate(_FOLD)


def _any_of(beginnings: set[str]) -> str:
    """Return a pattern for any of these strings that looks at each character once."""
    if "" in beginnings:
        return ""
    rests: dict[str, set[str]] = {}
    for each in sorted(beginnings):
        rests.setdefault(each[0], set()).add(each[1:])
    return "(?:" + "|".join(re.escape(first) + _any_of(rest) for first, rest in rests.items()) + ")"
