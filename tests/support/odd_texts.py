"""Texts that nobody would write and somebody will send. The same seed gives the same texts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from unicodedata import normalize

_EMOJI = ("👩‍👧", "👨‍👩‍👧‍👦", "🏴‍☠️", "🏳️‍🌈", "👍🏽", "🇩🇪", "🇩", "😀", "❤️‍🔥", "🤷🏿‍♀️", "1️⃣", "☠", "™️", "👁️‍🗨️")
_WORDS = (
    *("the", "cat", "Straße", "été", "señor", "привет", "שלום", "مرحبا", "سلام", "नमस्ते", "বাংলা", "สวัสดี", "你好"),
    *(
        "こんにちは",
        "カタカナ",
        "안녕",
        "chào",
        "γεια",
        "Dr.",
        "e.g.",
        "3.14",
        "$25.50",
        "12/05/2024",
        "me@example.com",
    ),
    *("https://example.com/a?b=c&d=%20", "C++", "N°", "½", "﷽", "㎏", "Ⅷ"),
)
_MARKUP = (
    *("<speak>", "</speak>", '<break time="9999s"/>', "<break/>", "<s>", "</p>", '<prosody rate="900%">', "</prosody>"),
    *("<!--", "-->", "<![CDATA[", "]]>", '<?xml version="1.0"?>', '<!DOCTYPE a [<!ENTITY b "c">]>', "&b;", "&amp;"),
    *("&#0;", "&#x1F600;", "&#xD800;", '<audio src="file:///etc/passwd"/>', '<mark name="x"/>', '<sub alias="b">'),
    *('<phoneme ph="x">', '<say-as interpret-as="tts:key">', '<voice name="de">', "<", ">", '"', "='", "</", "/>"),
)
_MARKS = (*map(chr, range(0x300, 0x370)), *"\u0591\u05b0\u064b\u0651\u093c\u0941\u0e31\u0e49\u3099\u20e3")
_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\u2061\u2063\u115f\u3164\ufe0f\U000e0041\U000e007f"
_STOPS = ".,;:!?…。、؟।-–—_*/\\|'\"()[]{}<>«»“”‘’"
_RUNS = (
    *_STOPS,
    ". ",
    ".a",
    "a.",
    ", ",
    "-.",
    "..,",
    "?!",
    "[[",
    "]]",
    ".\n",
    "1.",
    "1,",
    "..a",
    " .",
    "·",
    "'a",
    "a'",
)
_SPACES = ("\n", "\r\n", "\t", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\u00a0")
_PHONEMES = ("[[", "]]", "[", "]", "h@l'oU", "_^_de", "a", " ", ":", "''", "%", "=", "_|", "||")
_LETTERS = (
    *(
        "x",
        "ab",
        "qwrtpsdfgh",
        "ßüö",
        "жщ",
        "אבג",
        "مسن",
        "कखग",
        "กขค",
        "漢字",
        "かな",
        "한글",
        "αβγ",
        "aA1",
        "_",
        "aé",
        "ª",
    ),
)


def _some(dice: random.Random, parts: Sequence[str], most: int, glue: str = "") -> str:
    return glue.join(dice.choices(parts, k=dice.randint(1, most)))


def _any(dice: random.Random) -> str:
    """Any code point of any plane but a surrogate or NUL, which no request can hold."""
    plane = dice.choice((0, 0, 0, 1, 1, 2, 3, 14, 15, 16))
    point = (plane << 16) | dice.randrange(1, 0x10000)
    return "\ufffd" if 0xD800 <= point <= 0xDFFF else chr(point)


def _any_of(dice: random.Random) -> str:
    return "".join(_any(dice) for _ in range(dice.randint(1, 300)))


def _controls(dice: random.Random) -> str:
    return _some(dice, (*map(chr, range(1, 32)), *map(chr, range(127, 160)), *"aaaa    "), 200)


def _commands(dice: random.Random) -> str:
    """What eSpeak NG takes for its own commands."""
    return f"\x01{dice.randint(0, 999)}{dice.choice('VSPRTUYKMNACDEFHIXZ')}{_some(dice, _WORDS, 4, ' ')}\x01"


def _lone_marks(dice: random.Random) -> str:
    return dice.choice(("", "a", " ", "е", "か")) + _some(dice, _MARKS, 1_000)


def _run(dice: random.Random) -> str:
    start, unit, end = dice.choice(("", "a ", "Hello")), dice.choice(_RUNS), dice.choice(("", " end", "z"))
    return f"{start}{unit * dice.randint(1, 4_000 // len(unit))}{end}"


def _nested(dice: random.Random) -> str:
    opener, closer = dice.choice(("()", "[]", "{}", "<>", "«»", "“”", "「」"))
    depth = dice.randint(1, 600)
    return opener * depth + dice.choice(_WORDS) + closer * dice.choice((depth, 0, depth + 3))


def _number(dice: random.Random) -> str:
    digits = "".join(dice.choices("0123456789", k=dice.choice((20, 100, 500))))
    forms = (digits, f"{digits}.{digits}", ",".join(digits), f"{digits}%", f"{digits}e{digits}", f"{digits}th")
    return dice.choice(("", "-", "$", "€ ", "+", "0x", "№")) + dice.choice((*forms, "1" * 500, "٣" * 200, "³" * 99))


def _mixed(dice: random.Random) -> str:
    return _some(dice, (*_WORDS, *_EMOJI, *_STOPS, *_INVISIBLE, *" " * 30, *(_any(dice) for _ in range(30))), 90)


def _mathematics(dice: random.Random) -> str:
    letters = _some(dice, tuple(map(chr, range(0x1D400, 0x1D800))), 200)
    return letters + dice.choice(("", " = ∑∫√∞≠", " x²+y²"))


def _dotted(dice: random.Random) -> str:
    letters, stops = dice.choice(("ab", "abcXYZ", "abcXYZé1")), dice.choice(((".",), (".", ".", ". ", "..")))
    return _some(dice, [letter + stop for letter in letters for stop in stops], 900)


def _unassigned(dice: random.Random) -> str:
    return _some(dice, ("a", " ", chr(dice.randint(0xE000, 0xF8FF)), "\ufffe", "\U0010ffff", "\u0378"), 400)


KINDS: Mapping[str, Callable[[random.Random], str]] = {
    "any code points": _any_of,
    "one code point repeated": lambda dice: _any(dice) * dice.randint(1, 2_000),
    "control characters": _controls,
    "engine commands": _commands,
    "lone marks": _lone_marks,
    "bidi": lambda dice: _some(dice, (*_BIDI, *_WORDS), 80),
    "long words": lambda dice: _some(dice, dice.choice(_LETTERS), 5_000),
    "runs of punctuation": _run,
    "punctuation": lambda dice: _some(dice, f"{_STOPS} a1", 1_500),
    "nested brackets": _nested,
    "phoneme brackets": lambda dice: _some(dice, _PHONEMES, 60),
    "markup": lambda dice: _some(dice, (*_MARKUP, *_WORDS, " "), 60),
    "numbers": _number,
    "invisible": lambda dice: _some(dice, f"{_INVISIBLE}a ب", 300),
    "mixed": _mixed,
    "mathematics": _mathematics,
    "emoji": lambda dice: _some(dice, _EMOJI, 200, dice.choice(("", " ", "\u200d"))),
    "dotted letters": _dotted,
    "capitals": lambda dice: _some(dice, "aAbBİıßẞﬁǅ", 400),
    "lines": lambda dice: _some(dice, (*_WORDS, *_SPACES), 300),
    "unassigned": _unassigned,
    "decomposed": lambda dice: normalize("NFD", _some(dice, _WORDS, 60, " ")),
    "words": lambda dice: _some(dice, _WORDS, 200, " "),
}


def odd_texts(count: int, seed: int, *, most: int = 5_000) -> Iterator[tuple[str, str]]:
    """Yield `count` pairs of a kind and a text of that kind, which has 1 to `most` code points and no surrogates."""
    dice = random.Random(seed)
    kinds = list(KINDS.items())
    for number in range(count):
        kind, make = kinds[number % len(kinds)]
        yield kind, make(dice)[:most]
