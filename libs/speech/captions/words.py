"""Where the words of a text are, in any script. Pure.

Every code point gets the letter of its class, and one regular expression over these letters finds the words: it looks
at each position a bounded number of times. The rules follow UAX #29 where a client would expect its words, and differ
where the words are heard: symbols that are read aloud count, and a number is one word with its separators and its sign.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import category

_SILENT = "."

_CLASS_OF = {
    **dict.fromkeys("'’‘＇-‐‑·_׳״\u200e\u200f\u061c", "A"),  # apostrophes, hyphens, marks of direction: inside a word
    ".": "O",  # inside abbreviations, addresses and numbers
    **dict.fromkeys(",:/⁄٫٬–", "X"),  # inside numbers
    **dict.fromkeys("\u00a0\u2009\u202f", "W"),  # between the thousands of a number
    **dict.fromkeys("\u200c\u200d\u00ad\u2060\ufeff\u180e", "J"),
    "@": "@",
    **dict.fromkeys("+−±#№", "C"),  # read aloud, and part of what follows
    **dict.fromkeys("%‰‱°′″٪", "P"),  # read aloud, and part of the number before
    **dict.fromkeys("&=×÷<>§©®™", "Y"),  # read aloud
    "*": "K",  # silent, but a telephone has a key of it
    "\ufe0f": "V",
    "\u20e3": "Q",
    **dict.fromkeys("\u30fc\uff70", "G"),  # the mark of a long vowel, in either kana
}

_LETTERS = (
    (0x0E00, 0x0EFF, "S"), (0x1000, 0x109F, "S"), (0x1780, 0x17FF, "S"), (0x1950, 0x19DF, "S"),
    (0x1A20, 0x1AAF, "S"), (0xA9E0, 0xA9FF, "S"), (0xAA60, 0xAADF, "S"),
    (0x3005, 0x3007, "H"), (0x3021, 0x3029, "H"), (0x3038, 0x303B, "H"), (0x3400, 0x4DBF, "H"), (0x4E00, 0x9FFF, "H"),
    (0xF900, 0xFAFF, "H"), (0x20000, 0x3FFFF, "H"),
    (0x3041, 0x309F, "N"), (0x1B001, 0x1B11F, "N"), (0x1B150, 0x1B152, "N"),
    (0x30A1, 0x30FF, "T"), (0x31F0, 0x31FF, "T"), (0xFF66, 0xFF9F, "T"), (0x1B000, 0x1B000, "T"),
    (0x1B120, 0x1B122, "T"), (0x1B164, 0x1B167, "T"),
)  # fmt: skip
"""Letters of scripts without spaces: Thai, Lao, Khmer, Burmese and kin (S), Han (H), hiragana (N), katakana (T)."""

_PICTURES = (
    (0x2139, 0x2139), (0x2194, 0x21AA), (0x2300, 0x23FF), (0x25AA, 0x25AB), (0x25B6, 0x25B6), (0x25C0, 0x25C0),
    (0x25FB, 0x25FE), (0x2600, 0x27BF), (0x2934, 0x2935), (0x2B05, 0x2B55), (0x3297, 0x3299), (0x1F000, 0x1FAFF),
)  # fmt: skip
"""Where Unicode's Extended_Pictographic characters are, but for those that are usual in text, such as ©."""

_RUN = "(?: [LMJVQ]++ | D (?! V?Q ) )+"
"""Letters and digits with their marks. No group here is possessive: `re` of Python 3.11.0 to 3.11.3 mistakes those."""

_WORD = re.compile(
    rf"""
    [DKC] V? Q [MVQ]*+                                       # a key: 1️⃣
    | R R [MVQ]*+                                            # a flag of two regional indicators
    | [EFR] [MVQFZ]*+ (?: J [EF] [MVQFZ]*+ )*                # an emoji: with tone and tags, joined to others
    | (?: (?<! [LDMHSNTGJ] ) [CU@] )? (?= [LD] ) {_RUN}      # letters and digits with their sign and marks
      (?:
        (?:
          [A@] (?= [LD] )                                    # joined in any word
          | (?<= D ) [OX] (?= D (?! V?Q ) )                  # in a number
          | (?<! D ) O (?= L )                               # in an abbreviation
          | (?<= D ) W (?= DDD (?! D ) )                     # between thousands
        )
        {_RUN}
      )*
      (?: (?<= D ) [PU] [MVQ]*+ )?
    | H [MJVQ]*+
    | [NG] [NGMJVQ]*+
    | T [TGMJVQ]*+
    | S [SMJVQ]*+
    | [CPUY@] [MVQ]*+                                        # a symbol by itself
    """,
    re.VERBOSE,
)


def words(text: str) -> list[tuple[int, int]]:
    """Return where each word of `text` begins and ends, in code points, in logical order and not overlapping.

    A word is letters and digits with their marks, with apostrophes and hyphens inside; a number with its separators,
    sign, currency or percent; one ideograph; a run of hiragana or of katakana; a run of Thai, Lao, Khmer or Burmese;
    one emoji with all that belongs to it; one symbol that is read aloud. Punctuation and spaces are in no word.
    """
    return [word.span() for word in _WORD.finditer(_classes(text))]


def is_silent(text: str) -> bool:
    """Whether no part of `text` is a word: punctuation, spaces, marks without a letter."""
    return not text[:1].isalnum() and _WORD.search(_classes(text)) is None


def _classes(text: str) -> str:
    """Return the class of every code point of `text`, one letter each."""
    return text.translate({ord(character): _class_of(character) for character in set(text)})


@lru_cache(maxsize=65_536)
def _class_of(character: str) -> str:
    named = _CLASS_OF.get(character)
    if named:
        return named
    kind, point = category(character), ord(character)
    if kind[0] == "L" or kind == "Nl":
        return next((letter for first, last, letter in _LETTERS if first <= point <= last), "L")
    return _class_of_other(kind, point)


def _class_of_other(kind: str, point: int) -> str:
    """Return the class of what is no letter."""
    if 0x1F1E6 <= point <= 0x1F1FF:
        return "R"
    if 0x1F3FB <= point <= 0x1F3FF:
        return "F"
    if 0xE0020 <= point <= 0xE007F:
        return "Z"
    if kind in ("So", "Sm") and any(first <= point <= last for first, last in _PICTURES):
        return "E"
    return {"M": "M", "N": "D"}.get(kind[0], "U" if kind == "Sc" else _SILENT)
