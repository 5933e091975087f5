"""Which elements and attributes a document may hold, and which values eSpeak NG is given for theirs.

It is what eSpeak NG 1.52 was measured to honour. A value that it would take for another, or leave out without a word,
is refused or rewritten here: it reads decibels as plain numbers and digits as one number, for instance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

LONGEST_BREAK_MS: Final = 10_000
LONGEST_VALUE: Final = 500
"""Characters of an alias or of a pronunciation."""

Check: TypeAlias = Callable[[str], str]
"""Takes an attribute's value and returns the engine's. Raises ValueError, which says what is allowed."""

_NUMBER = r"(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})"
_TIME = re.compile(_NUMBER + r"(ms|s)", re.ASCII)
_RATE = re.compile(r"([+-]?)" + _NUMBER + r"(%?)", re.ASCII)
_RELATIVE = re.compile(r"([+-]?)" + _NUMBER + r"(%|st|dB)", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rule:
    """What an element may hold: its attributes, those of which at least one is needed, and whether anything inside."""

    attributes: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    """All of these are needed."""
    any_of: tuple[str, ...] = ()
    """One of these is needed, if there are any."""
    content: str = "any"
    """`any`, `text` (some text and no elements) or `none`."""


def _one_of(*allowed: str, spelled: Mapping[str, str] | None = None) -> Check:
    """A check for words, with other spellings of some."""
    spellings = {word: word for word in allowed} | dict(spelled or {})

    def check(value: str) -> str:
        engine_value = spellings.get(value.strip())
        if engine_value is None:
            raise ValueError(f"is one of {', '.join(spellings)}")
        return engine_value

    return check


def _matching(pattern: re.Pattern[str], allowed: str) -> Check:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(allowed)
        return value

    return check


def _spoken(value: str) -> str:
    if not value.strip() or len(value) > LONGEST_VALUE:
        raise ValueError(f"has 1 to {LONGEST_VALUE} characters")
    return value


def _anything(value: str) -> str:
    return value


def _break_time(value: str) -> str:
    """Milliseconds, as `500ms`."""
    match = _TIME.fullmatch(value.strip())
    milliseconds = round(float(match[1]) * (1 if match[2] == "ms" else 1000)) if match else LONGEST_BREAK_MS + 1
    if milliseconds > LONGEST_BREAK_MS:
        raise ValueError(f"is a number of ms or s of at most {LONGEST_BREAK_MS // 1000} s, such as 500ms or 1.2s")
    return f"{milliseconds}ms"


def _percent(factor: float, low: float, high: float, allowed: str) -> str:
    if not low <= factor <= high:
        raise ValueError(allowed)
    return f"{round(factor * 100)}%"


def _rate(value: str) -> str:
    """The engine's word, or per cent of the rate outside."""
    allowed = (
        "is x-slow, slow, medium, fast, x-fast, default, or from 0.25 to 4 times the rate, such as 1.5, 150% or +50%"
    )
    value = value.strip()
    if value in ("x-slow", "slow", "medium", "fast", "x-fast", "default"):
        return value
    match = _RATE.fullmatch(value)
    if not match or (match[1] and not match[3]):
        raise ValueError(allowed)
    number = float(match[2]) / (100 if match[3] else 1)
    return _percent(_relative(match[1], number), 0.25, 4, allowed)


def _pitch(value: str) -> str:
    """The engine's word, or per cent of the pitch outside."""
    allowed = "is x-low, low, medium, high, x-high, default, from 50% to 200%, or from -12st to +12st, such as +10%"
    return _level(value, ("x-low", "low", "medium", "high", "x-high", "default"), "st", 12, (0.5, 2), allowed)


def _volume(value: str) -> str:
    """The engine's word, or per cent of the volume outside."""
    allowed = "is silent, x-soft, soft, medium, loud, x-loud, default, from 0% to 200%, or from -40dB to +6dB"
    words = ("silent", "x-soft", "soft", "medium", "loud", "x-loud", "default")
    return _level(value, words, "dB", 20, (0, 2), allowed)


def _level(
    value: str, words: tuple[str, ...], unit: str, per_factor: int, bounds: tuple[float, float], allowed: str
) -> str:
    """A word, a percentage, or a logarithmic unit: 12 semitones double, 20 decibels make tenfold."""
    value = value.strip()
    if value in words:
        return value
    match = _RELATIVE.fullmatch(value)
    if not match or match[3] not in ("%", unit):
        raise ValueError(allowed)
    sign, number = match[1], float(match[2])
    if match[3] == "%":
        return _percent(_relative(sign, number / 100), *bounds, allowed)
    exponent = min(number / per_factor, 8.0) * (-1 if sign == "-" else 1)
    low = 0.01 if unit == "dB" else bounds[0]
    return _percent((10 if unit == "dB" else 2) ** exponent, low, bounds[1], allowed)


def _relative(sign: str, number: float) -> float:
    return number if not sign else 1 + number if sign == "+" else 1 - number


_language = _matching(_LANGUAGE, "is a language tag, such as de or pt-BR")
_SPEAK = {"xml:lang": _language, "version": _one_of("1.0", "1.1"), "xmlns": _anything}

ELEMENTS: Final[Mapping[str, Rule]] = {
    "speak": Rule(_SPEAK),
    "p": Rule({"xml:lang": _language}),
    "s": Rule({"xml:lang": _language}),
    "break": Rule(
        {"time": _break_time, "strength": _one_of("none", "x-weak", "weak", "medium", "strong", "x-strong")},
        content="none",
    ),
    "mark": Rule(
        {"name": _matching(_NAME, "has up to 64 letters, digits and _ . : -, the first a letter or _")},
        required=("name",),
        content="none",
    ),
    "prosody": Rule(
        {"rate": _rate, "pitch": _pitch, "range": _pitch, "volume": _volume},
        any_of=("rate", "pitch", "range", "volume"),
    ),
    "voice": Rule(
        {"gender": _one_of("male", "female", "neutral"), "xml:lang": _language}, any_of=("gender", "xml:lang")
    ),
    "lang": Rule({"xml:lang": _language}, required=("xml:lang",)),
    "emphasis": Rule({"level": _one_of("strong", "moderate", "reduced", "none")}),
    "sub": Rule({"alias": _spoken}, required=("alias",), content="text"),
    "phoneme": Rule({"alphabet": _one_of("ipa"), "ph": _spoken}, required=("ph",), content="text"),
    "say-as": Rule(
        {
            "interpret-as": _one_of(
                "characters",
                "telephone",
                spelled={"spell-out": "characters", "verbatim": "characters", "digits": "telephone"},
            )
        },
        required=("interpret-as",),
        content="text",
    ),
}
"""By name. `xml:lang` on p and s is that of a lang element inside them."""

STYLES: Final = frozenset(("prosody", "voice", "lang", "emphasis", "say-as"))
"""Elements that change how the text in them is spoken, so that every part of it needs them around it."""
