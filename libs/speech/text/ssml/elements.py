"""Which elements and attributes a document may hold, and which values eSpeak NG is given for theirs.

It is what eSpeak NG 1.52 was measured to honour. A value that it would take for another, or leave out without a word,
is refused or rewritten here: it reads decibels as plain numbers and digits as one number, its pitch does not follow
per cent, a volume above 150% clips, and of all elements with a language only voice changes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import log2
from typing import Final, TypeAlias

from libs.speech.engine import UnknownEngineVoice
from libs.speech.languages import profile_for_language
from libs.speech.text.ipa import to_mnemonics

LONGEST_BREAK_MS: Final = 10_000
LONGEST_VALUE: Final = 500
"""Characters of an alias or of a pronunciation."""

Check: TypeAlias = Callable[[str], str]
"""Takes an attribute's value and returns the engine's. Raises ValueError, which says what is allowed."""

_NUMBER = r"(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})"
_PITCHES = ("x-low", "low", "medium", "high", "x-high", "default")
_PERCENT_UP, _PERCENT_DOWN = 11.2, 13.0
"""Per cent of eSpeak NG's pitch to a semitone, measured as the median of a sentence in English, German and French."""

_LOWEST_SEMITONES, _HIGHEST_SEMITONES = -3.0, 9.0
"""Where its pitch ends for some voices; deeper, it hardly follows."""

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


def _pronunciation(value: str) -> str:
    """The value, of which all sounds are known, so that no rendering fails because of it."""
    _spoken(value)
    try:
        to_mnemonics(value, "")
    except ValueError as unknown:
        raise ValueError(f"is written in the phonetic alphabet: {unknown}") from unknown
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
    """The engine's word, or the per cent that move the engine's pitch as far as the value says."""
    allowed = "is x-low, low, medium, high, x-high, default, or from -3st to +9st, such as +2st, 110% or -10%"
    value = value.strip()
    if value in _PITCHES:
        return value
    match = _RELATIVE.fullmatch(value)
    if not match or match[3] not in ("%", "st"):
        raise ValueError(allowed)
    number = float(match[2])
    if match[3] == "st":
        semitones = -number if match[1] == "-" else number
    else:
        factor = _relative(match[1], number / 100)
        semitones = 12 * log2(factor) if factor > 0 else -12.0
    if not _LOWEST_SEMITONES <= semitones <= _HIGHEST_SEMITONES:
        raise ValueError(allowed)
    return f"{round(100 + semitones * (_PERCENT_UP if semitones > 0 else _PERCENT_DOWN))}%"


def _range(value: str) -> str:
    """The engine's word, or per cent of the range outside."""
    allowed = "is x-low, low, medium, high, x-high, default, or from 0% to 200%, such as 50% or +20%"
    value = value.strip()
    if value in _PITCHES:
        return value
    match = _RELATIVE.fullmatch(value)
    if not match or match[3] != "%":
        raise ValueError(allowed)
    return _percent(_relative(match[1], float(match[2]) / 100), 0, 2, allowed)


def _volume(value: str) -> str:
    """The engine's word, or per cent of the volume outside."""
    allowed = "is silent, x-soft, soft, medium, loud, x-loud, default, from 0% to 150%, or from -30dB to +3dB"
    value = value.strip()
    if value in ("silent", "x-soft", "soft", "medium", "loud", "default"):
        return value
    if value == "x-loud":
        return "loud"
    match = _RELATIVE.fullmatch(value)
    if not match or match[3] not in ("%", "dB"):
        raise ValueError(allowed)
    number = float(match[2])
    if match[3] == "%":
        return _percent(_relative(match[1], number / 100), 0, 1.5, allowed)
    exponent = min(number, 200) / 20
    return _percent(10 ** (-exponent if match[1] == "-" else exponent), 0.031, 1.5, allowed)


def _relative(sign: str, number: float) -> float:
    return number if not sign else 1 + number if sign == "+" else 1 - number


def _language(value: str) -> str:
    """The engine's tag for the nearest language that it speaks."""
    if not _LANGUAGE.fullmatch(value):
        raise ValueError("is a language tag, such as de or pt-BR")
    try:
        return profile_for_language(value).engine_voice.rpartition("/")[2]
    except UnknownEngineVoice as unknown:
        raise ValueError("is a language that no voice speaks: use one such as en-US, de-DE or hi-IN") from unknown


_SPEAK = {
    "xml:lang": _matching(_LANGUAGE, "is a language tag, such as de or pt-BR"),
    "version": _one_of("1.0", "1.1"),
    "xmlns": _anything,
}

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
        {"rate": _rate, "pitch": _pitch, "range": _range, "volume": _volume},
        any_of=("rate", "pitch", "range", "volume"),
    ),
    "voice": Rule(
        {"gender": _one_of("male", "female", "neutral"), "xml:lang": _language}, any_of=("gender", "xml:lang")
    ),
    "lang": Rule({"xml:lang": _language}, required=("xml:lang",)),
    "emphasis": Rule({"level": _one_of("strong", "moderate", "reduced", "none")}),
    "sub": Rule({"alias": _spoken}, required=("alias",), content="text"),
    "phoneme": Rule({"alphabet": _one_of("ipa"), "ph": _pronunciation}, required=("ph",), content="text"),
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
"""By name. `xml:lang` of speak tells what the text is in; the voice that was asked for speaks it all the same."""

STYLES: Final = frozenset(("prosody", "voice", "emphasis", "say-as"))
"""What changes how the text in it is spoken, so that every part of it needs them around it. A lang becomes a voice."""
