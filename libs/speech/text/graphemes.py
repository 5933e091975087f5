"""Where a text may be cut without parting what is seen as one character.

Approximates the extended grapheme clusters of Unicode's UAX #29 with what the standard library knows; where the two
differ, this joins more (any character after a virama, spaces before combining marks).
"""

from __future__ import annotations

from unicodedata import category, combining

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_VIRAMA = 9  # the canonical combining class of the marks that bind a consonant to the next
_SARA_AM = "\u0e33\u0eb3"


def joined(text: str, index: int, start: int = 0) -> bool:
    """Tell whether the characters before and at `index` are seen as one. False at both ends of the text.

    `start` is a place before `index` that is known to part characters: nothing before it is looked at.
    """
    if not 0 < index < len(text):
        return False
    before, after = text[index - 1], text[index]
    if after < "\u0300":
        return before == "\r" and after == "\n"
    if before in _LINE_ENDS:
        return False
    return (
        category(after)[0] == "M"
        or after in (_ZWNJ, _ZWJ)
        or before == _ZWJ
        or combining(before) == _VIRAMA
        or after in _SARA_AM
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # tags, of flags
        or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
        or _is_flag_half(text, index, start)
        or _is_one_syllable(before, after)
    )


def _is_flag_half(text: str, index: int, start: int) -> bool:
    """Regional indicators pair from the first of their run on."""
    if not _is_regional(text[index]):
        return False
    first = index
    while first > start and _is_regional(text[first - 1]):
        first -= 1
    return (index - first) % 2 == 1


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_one_syllable(before: str, after: str) -> bool:
    """Hangul that is written in its parts."""
    if "\u1100" <= before <= "\u115f":
        return "\u1100" <= after <= "\u11a7" or "\uac00" <= after <= "\ud7a3"
    return ("\u1160" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3") and "\u1160" <= after <= "\u11ff"
