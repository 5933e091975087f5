"""Where the sentences of a text begin and end, in any script.

A stop ends a sentence where the language's habits and what follows say so. All rules look at a bounded distance to both
sides, so that the time is linear in the text and an edit moves only the ends beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from libs.speech.text.abbreviations import Habits, habits_of
from libs.speech.text.graphemes import joined

LONGEST_SENTENCE = 500
"""Characters of a sentence, without the spaces around it, that are spoken in one go."""

_FULL = "。｡！？‼⁇⁈⁉।॥؟۔։።፧፨။។៕༎෴᠃︒﹗﹖"
"""Stops that end a sentence whether or not a space follows."""
_CLOSERS = "\"'”’»›«“」』】〉》）］｝〕〗〙)\\]}＂＇"
_FULL_CLOSERS = _CLOSERS.replace("“", "").replace("«", "")  # which close in German, and open where these stops are


def _candidates(close: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<line>\n\s*)"
        rf"|(?P<full>[{_FULL}][{_FULL}!?.…]*)[{_FULL_CLOSERS}]*\s*"
        rf"|(?P<stop>[.!?…．]+(?:[ \u00a0]+[.!?…]+)*)(?P<close>[{_CLOSERS}]*{close}(?:\[\d{{1,3}}\])*)(?P<space>\s*)"
        rf"|(?P<mark>[;\u037e:])(?P<mark_space>\s+)"
    )


_CANDIDATE = _candidates("")
_FRENCH_CANDIDATE = _candidates(r"(?:\s»)?")
_UNSPACED = r"\u0e01-\u0e3a\u0e40-\u0eff"
_PHRASE_SPACE = re.compile(rf"(?<=[{_UNSPACED}])\s+(?=[\u0e01-\u0e2e\u0e40-\u0e44\u0e81-\u0ec4])")
_SPACELESS_PHRASE = 16
"""Characters without a space after which a space of Thai or Lao, which have no stops, ends a sentence."""

_OPENERS = "\"'“‘„‚«»‹›([{¿¡—–-*_ \u00a0"
_NEXT_WORD = re.compile(rf"[{re.escape(_OPENERS)}]{{0,8}}(\w[\w’']{{0,23}})?")
_LIST_ITEM = re.compile(r"(?:[-*•‣◦·–—▪+]|\(?(?:\d{1,3}|\w)[.)]) ")
_WRAPPED_LINE = 60
"""Characters of a line from which on its end is taken for the margin's rather than the author's."""
_NUMBER = re.compile(r"\d{1,2}|[ivxlc]{2,6}")
_COUNT = re.compile(r"[\d.,–-]+|[ivxlc]+")
_QUOTED_ON = re.compile(r"(?:と|って|、|，)")
_CUT_AFTER = re.compile(r"[,;:—–)\]]\s+|[、，；：؛،፣፥፤၊]\s*")
_LOOKED_BACK = 24


def split_sentences(text: str, language: str) -> list[tuple[int, int]]:
    """Return the sentences of `text` as half-open spans of code points that follow each other and cover it exactly.

    The space after a sentence belongs to it, that before the first one to the first. `language` is a BCP-47 tag; one
    that is not known is read as English. What is longer than LONGEST_SENTENCE is cut, if possible after a clause, else
    at a space, else between characters; never inside what is seen as one character.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for end in sentence_ends(text, language):
        spans.extend(_pieces(text, start, end))
        start = end
    return spans


def sentence_ends(text: str, language: str) -> list[int]:
    """Return where the sentences of `text` end, however long they are; the last one ends with the text."""
    ends: list[int] = []
    start = 0
    for end in _ends(text, language, habits_of(language)):
        if end > start and not joined(text, end, start) and not text[start:end].isspace():
            ends.append(end)
            start = end
    if start < len(text):
        if ends and text[start:].isspace():
            ends.pop()
        ends.append(len(text))
    return ends


def _ends(text: str, language: str, habits: Habits) -> Iterator[int]:
    """Yield places that may each be the end of a sentence, in order."""
    greek, armenian = (language.lower().startswith(code) for code in ("el", "hy"))
    pattern = _FRENCH_CANDIDATE if language.lower().startswith("fr") else _CANDIDATE
    start = 0
    phrases = _phrase_ends(text)
    next_phrase = next(phrases, None)
    for candidate in pattern.finditer(text):
        end = candidate.end()
        while next_phrase is not None and next_phrase < end:
            yield next_phrase
            next_phrase = next(phrases, None)
        match candidate.lastgroup:
            case "line":
                ended = _line_ends_sentence(text, start, candidate)
            case "full":
                ended = not (text[end - 1] in "」』”" and _QUOTED_ON.match(text, end))
            case "mark_space":
                ended = _mark_ends_sentence(candidate, text, greek=greek, armenian=armenian)
            case _:
                ended = _stop_ends_sentence(text, start, candidate, habits)
        if ended:
            yield end
            start = end
    if next_phrase is not None:
        yield next_phrase
    yield from phrases


def _phrase_ends(text: str) -> Iterator[int]:
    before = 0
    for space in _PHRASE_SPACE.finditer(text):
        phrase = text[max(before, space.start() - _SPACELESS_PHRASE) : space.start()]
        if len(phrase) == _SPACELESS_PHRASE and not any(map(str.isspace, phrase)):
            yield space.end()
        before = space.end()


def _line_ends_sentence(text: str, start: int, candidate: re.Match[str]) -> bool:
    """Tell a paragraph, a heading, a verse or a list item from a line that is wrapped at a margin."""
    end = candidate.end()
    if candidate[0].count("\n") > 1 or end == len(text) or _LIST_ITEM.match(text, end):
        return True
    following = text[end]
    if following.islower():
        return False
    line_start = max(text.rfind("\n", max(start, candidate.start() - _WRAPPED_LINE), candidate.start()) + 1, start)
    return not (following.isupper() and candidate.start() - line_start >= _WRAPPED_LINE)


def _mark_ends_sentence(candidate: re.Match[str], text: str, *, greek: bool, armenian: bool) -> bool:
    """The Greek question mark looks like a semicolon, the Armenian full stop is often typed as a colon."""
    if candidate["mark"] == ":":
        return armenian and text[candidate.end() : candidate.end() + 1].isupper()
    return greek or candidate["mark"] == "\u037e"


def _stop_ends_sentence(text: str, start: int, candidate: re.Match[str], habits: Habits) -> bool:
    stop, end = candidate["stop"], candidate.end()
    if end == len(text):
        return True
    if not candidate["space"]:
        return _is_unspaced_end(text, start, candidate)
    if "\n" in candidate["space"] and (candidate["space"].count("\n") > 1 or _LIST_ITEM.match(text, end)):
        return True
    following = _NEXT_WORD.match(text, end)
    word = (following[1] if following else None) or ""
    if stop != ".":
        goes_on = word[:1].islower() and ("." in stop or "…" in stop or bool(candidate["close"]))
        return not goes_on
    return _full_stop_ends_sentence(text, start, candidate.start(), word, habits, closed=bool(candidate["close"]))


def _is_unspaced_end(text: str, start: int, candidate: re.Match[str]) -> bool:
    """A stop with nothing behind it ends a sentence only where words are not spaced either, and in no address."""
    following = text[candidate.end()]
    if following < "\u2e80" or not following.isalpha() or candidate["stop"][0] in ".．…":
        return False
    token = text[max(start, candidate.start() - 200) : candidate.start()].split()
    return not (token and ("://" in token[-1] or "www." in token[-1]))


def _full_stop_ends_sentence(text: str, start: int, stop: int, following: str, habits: Habits, *, closed: bool) -> bool:
    tokens = text[max(start, stop - _LOOKED_BACK) : stop].split()
    word = tokens[-1].lstrip(_OPENERS) if tokens else ""
    if stop - start <= _LOOKED_BACK and len(tokens) == 1 and _LIST_ITEM.match(f"{word}. "):
        return False  # the number of a list item
    if not closed and (known := _abbreviation_ends_sentence(tokens, word.lower(), following, habits)) is not None:
        return known
    if following[:1].islower():
        return text[start : start + 1].islower() and len(word) > 3  # its author writes no capitals at all
    if closed or not _needs_starter(word, habits):
        return True
    return following in ("I", "A") or (following.lower() in habits.starters and not following.isupper())


def _abbreviation_ends_sentence(tokens: list[str], word: str, following: str, habits: Habits) -> bool | None:
    """Return None if the last of `tokens`, which is `word`, is no abbreviation that the language has."""
    known = {word, re.split("['’]", word)[-1], "".join(tokens[-2:]).lower(), "".join(tokens[-3:]).lower()}
    if not known.isdisjoint(habits.inside) or (word in habits.numbering and following[:1].isdigit()):
        return False
    if len(word) == 1 and word in habits.either and len(tokens) > 1:  # a year's or a unit's, else a town's or a name's
        return not following[:1].islower() and bool(_COUNT.fullmatch(tokens[-2].lower()))
    return None if known.isdisjoint(habits.either) else not following[:1].islower()


def _needs_starter(word: str, habits: Habits) -> bool:
    """An initial, letters with stops (U.S.) and an ordinal end a sentence only before a word that begins sentences."""
    lower = word.lower()
    if (len(word) == 1 and word.isalpha()) or lower in habits.doubtful:
        return True
    return (word[-2:-1] in (".", "-") and word[-1:].isalpha()) or (
        habits.ordinals and _NUMBER.fullmatch(lower) is not None
    )


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut what is too long. The spaces around a piece do not count, and those after it belong to it."""
    last = start + len(text[start:end].rstrip())
    first = start + len(text[start:end]) - len(text[start:end].lstrip())
    while last - first > LONGEST_SENTENCE:
        cut = _best_cut(text, first, first + LONGEST_SENTENCE)
        if cut >= last:
            break
        yield start, cut
        start = first = cut
    yield start, end


def _best_cut(text: str, first: int, limit: int) -> int:
    """Return where to cut after `first` and not after `limit`, but for spaces or a single character that go further."""
    half = (first + limit) // 2
    clauses = [clause.end() for clause in _CUT_AFTER.finditer(text, half, limit)]
    for place in (*reversed(clauses), limit):
        cut = _after_spaces(text, place)
        if (cut in clauses or text[cut - 1].isspace()) and not joined(text, cut, first):
            return cut
    for least, is_good in ((first, _is_after_space), (half, _is_outside_address), (first, _is_anywhere)):
        for index in range(limit, least, -1):
            if is_good(text, index) and not joined(text, index, first):
                return index
    while joined(text, limit, first):
        limit += 1
    return limit


def _after_spaces(text: str, index: int) -> int:
    """Return where the spaces from `index` on end; the last one may be what a mark stands on."""
    before = index
    while index < len(text) and text[index].isspace():
        index += 1
    return index - 1 if index > before and joined(text, index, before) else index


def _is_after_space(text: str, index: int) -> bool:
    return text[index - 1].isspace() and not text[index].isspace()


def _is_outside_address(text: str, index: int) -> bool:
    """Neither in an address nor in a word that stands among characters which need no spaces."""
    return not (text[index - 1].isascii() and text[index].isascii())


def _is_anywhere(_text: str, _index: int) -> bool:
    return True
