"""The International Phonetic Alphabet, written in eSpeak NG's names for the phonemes of a language.

The names were found by speaking each with eSpeak NG 1.52 and reading the phonemes that it reported. A symbol that a
language lacks becomes the nearest one that it has, as its speakers would say it.
"""

from __future__ import annotations

import re
from unicodedata import name, normalize

_CONSONANTS = {
    "p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "ɡ": "g", "g": "g", "q": "q", "c": "c", "ɟ": "J", "ʔ": "?",
    "ʈ": "t", "ɖ": "d", "f": "f", "v": "v", "θ": "T", "ð": "D", "s": "s", "z": "z", "ʃ": "S", "ʒ": "Z", "ʂ": "s.",
    "ʐ": "z.", "ɕ": "S;", "ʑ": "Z;", "ç": "C", "ʝ": "j", "x": "x", "χ": "X", "ɣ": "Q", "h": "h", "ɦ": "h", "ɸ": "f",
    "β": "B", "ɬ": "l#", "m": "m", "ɱ": "m", "n": "n", "ɳ": "n", "ɲ": "n^", "ŋ": "N", "l": "l", "ɭ": "l", "ɫ": "L",
    "ʎ": "l^", "r": "r", "ɹ": "r", "ɻ": "r", "ɾ": "*", "ʀ": "r", "ʁ": "r", "ʋ": "v#", "w": "w", "ʍ": "w", "j": "j",
    "ɥ": "w", "ʦ": "ts", "ʣ": "dz", "ʧ": "tS", "ʤ": "dZ", "ʨ": "tS;",
}  # fmt: skip
_VOWELS = {
    "a": "a", "e": "e", "i": "i", "o": "o", "u": "u", "y": "y", "ɛ": "E", "ɔ": "O", "ɪ": "I", "ʊ": "U", "ʌ": "V",
    "ə": "@", "ɘ": "@", "ɐ": "a#", "æ": "a", "ɑ": "A", "ɒ": "0", "ɜ": "3", "ɝ": "3", "ɚ": "3", "ɞ": "W", "ø": "Y",
    "œ": "W", "ɶ": "W", "ʏ": "y", "ɨ": "i", "ʉ": "u", "ɯ": "u", "ɵ": "o", "ɤ": "o", "ᵻ": "I#", "ɑ̃": "A~", "ã": "A~",
    "ɛ̃": "E~", "ẽ": "E~", "æ̃": "E~", "ɔ̃": "O~", "õ": "O~", "œ̃": "W~", "ʌ̃": "A~", "ɐ̃": "A~",
}  # fmt: skip
_MARKS = {
    "ˈ": "'", "'": "'", "ˌ": ",", "ː": ":", ":": ":", " ": " ",
    **dict.fromkeys((
        "ˑ", ".", "|", "‿", "/", "\u0361", "\u035c", "\u032f", "\u0311", "\u032a", "\u033a", "\u033b", "\u0325",
        "\u030a", "\u032c", "\u031d", "\u031e", "\u031f", "\u0320", "\u0308", "\u0339", "\u031c", "\u031a", "ʰ", "ʷ",
        "ˠ", "\u0303",
    ), ""),
    "˞": "r", "\u0329": "-", "\u030d": "-", "ʲ": ";", "\u02bc": "",
}  # fmt: skip
"""What is written beside sounds. The empty ones make differences that eSpeak NG's phonemes do not."""

_IN_LANGUAGE = {
    "en": {
        "ɑ": "A:", "ɑː": "A:", "ɜː": "3:", "ɝ": "3:", "ɝː": "3:", "ɔː": "O:", "iː": "i:", "uː": "u:", "ɒː": "0",
        "əʊ": "oU", "oʊ": "oU", "eɪ": "eI", "aɪ": "aI", "ɑɪ": "aI", "aʊ": "aU", "ɑʊ": "aU", "ɔɪ": "OI", "ɪə": "i@",
        "eə": "e@", "ɛə": "e@", "ʊə": "U@", "y": "i", "ʏ": "I", "ø": "3:", "œ": "3:", "ɞ": "3:", "ɶ": "0", "ɨ": "I2",
        "ʉ": "u:", "œ̃": "E~", "ɜ": "3:", "ɥ": "w",
    },
    "de": {
        "aː": "A:", "ɑː": "A:", "øː": "Y:", "ø": "Y:", "yː": "y:", "y": "y", "ɛː": "E:", "aɪ": "aI", "aʊ": "aU",
        "ɔʏ": "OY", "ɔɪ": "OY", "ɔø": "OY", "pf": "pF", "ɐ": "3", "ɚ": "3", "ʌ": "a", "ɒ": "O", "æ": "E", "ɨ": "i",
    },
    "fr": {
        "ɥ": "y", "ø": "Y", "œ": "W", "ɒ": "O", "ɑ": "a", "ʊ": "u", "ɜ": "W", "ɝ": "W", "ɚ": "@",
        "ɒ̃": "A~", "æ": "a",
    },
    "es": {
        "r": "R", "ʁ": "R", "ʀ": "R", "ɹ": "*", "ʝ": "J^", "ɪ": "i", "ʌ": "a", "ɜ": "e", "ɝ": "e", "ɚ": "e", "ɒ": "o",
        "ɑ": "a", "œ": "Y", "ɞ": "Y", "ɶ": "Y", "aɪ": "aI", "eɪ": "eI", "ɔɪ": "oI", "oɪ": "oI", "aʊ": "aU", "eʊ": "eU",
        "ã": "a~", "ɑ̃": "a~", "ɐ̃": "a~", "ʌ̃": "a~", "œ̃": "E~", "ᵻ": "i",
    },
    "it": {
        "r": "R", "ʌ": "a", "ɜ": "e", "ɝ": "e", "ɚ": "e", "ɒ": "o", "ɑ": "a", "œ": "Y", "ɞ": "Y", "ɶ": "Y",
        "ã": "a~", "ɑ̃": "a~", "ɐ̃": "a~", "ʌ̃": "a~", "œ̃": "E~",
    },
    "ru": {
        "ɨ": "y", "ɵ": "8", "ʉ": "u\"", "ɑ": "A", "r": "R", "ʁ": "R", "ʀ": "R", "ɹ": "R", "ʊ": "u", "ɜ": "E", "ɝ": "E",
        "ɚ": "E", "ɒ": "o", "œ": "Y", "ɞ": "Y", "ɶ": "Y", "rʲ": "r;", "tɕ": "tS;", "ɕː": "S;", "ɐ": "V", "ʌ": "V",
        "œ̃": "E", "ᵻ": "y",
    },
}  # fmt: skip
_OTHER = {
    **dict.fromkeys(("ʌ", "ɐ", "ɑ", "æ", "ɑ̃", "ã", "ɐ̃", "ʌ̃"), "a"),
    **dict.fromkeys(("ɛ", "ɜ", "ɝ", "ɚ", "ɛ̃", "ẽ", "æ̃", "œ̃", "œ", "ɞ", "ɶ", "ø"), "e"),
    **dict.fromkeys(("ɪ", "ᵻ", "y", "ʏ"), "i"),
    **dict.fromkeys(("ɔ", "ɒ", "ɔ̃", "õ"), "o"),
    "ʊ": "u",
}
"""For the other languages, the vowels that all of them have."""


def to_mnemonics(ipa: str, language: str) -> str:
    """Return `ipa` in eSpeak NG's names for the phonemes of a language, which is a BCP-47 tag.

    Slashes and brackets around the whole are left out. Raises ValueError, naming the symbol, where one is unknown, and
    where there is no sound.
    """
    sounds = _normal(ipa)
    symbols, pattern = _SYMBOLS[_key(language)], _PATTERNS[_key(language)]
    written: list[str] = []
    spoken = False
    place = 0
    while place < len(sounds):
        found = pattern.match(sounds, place)
        if found is None:
            symbol = sounds[place]
            raise ValueError(f"{symbol!r} ({name(symbol, 'no character')}) in {ipa!r} is no sound that can be spoken")
        piece = symbols[found[0]]
        spoken = spoken or found[0] not in _MARKS
        if written and piece and written[-1][-1:] == piece[0] and piece[0].isalpha():
            written.append("|")  # two sounds, not the name of one
        written.append(piece)
        place = found.end()
    if not spoken:
        raise ValueError(f"{ipa!r} has no sound")
    return " ".join("".join(written).split())


def _normal(ipa: str) -> str:
    """Each mark after its sound, but for the one cedilla that is part of a letter."""
    bare = ipa.strip()
    if len(bare) > 1 and bare[0] + bare[-1] in ("//", "[]"):
        bare = bare[1:-1]
    return normalize("NFD", bare).replace("c\u0327", "ç").translate(_SPACES)


def _key(language: str) -> str:
    code = language.lower().replace("_", "-").partition("-")[0]
    return code if code in _IN_LANGUAGE else ""


def _table(special: dict[str, str]) -> dict[str, str]:
    table = {**_CONSONANTS, **_VOWELS, **_MARKS, **special}
    return {normalize("NFD", sound).replace("c\u0327", "ç"): written for sound, written in table.items()}


_SPACES = dict.fromkeys(map(ord, "\t\n\r\u00a0"), " ")
_SYMBOLS = {"": _table(_OTHER), **{language: _table(special) for language, special in _IN_LANGUAGE.items()}}
_PATTERNS = {
    language: re.compile("|".join(map(re.escape, sorted(table, key=len, reverse=True))))
    for language, table in _SYMBOLS.items()
}


_GROUP = re.compile(r"\S.{0,98}(?!\S)|\S{1,99}")


def grouped(notation: str) -> str:
    """Return eSpeak NG's mnemonics in double brackets, in groups of at most 99: longer ones overrun its buffers."""
    return "".join(f"[[{group[0]}]]" for group in _GROUP.finditer(notation))
