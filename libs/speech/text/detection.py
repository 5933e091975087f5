"""Which language a text is written in, among those that can be spoken.

The script decides where it is one language's. Where several share it, py3langid (a naive Bayes model of 140 languages
over bytes) chooses among those; it is loaded when it is first needed, once in a process, in about 0.7 s and 75 MB.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

LEAST_CONFIDENCE = 0.3
"""The model's probability of its best language below which it is not believed."""
_LOOKED_AT = 20_000
"""Characters of a text that are looked at; more do not change the answer."""

_SCRIPTS = {
    "latin": "a-zA-Zª-ºÀ-ÖØ-öø-ɏḀ-ỿ",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "cyrillic": "\u0400-\u052f",
    "armenian": "\u0531-\u058f",
    "hebrew": "\u05d0-\u05f4",
    "arabic": "\u0620-\u06d3\u06d5-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc",
    "devanagari": "\u0900-\u0963\u0970-\u097f",
    "bengali": "\u0980-\u09ff",
    "gurmukhi": "\u0a00-\u0a7f",
    "gujarati": "\u0a80-\u0aff",
    "odia": "\u0b00-\u0b7f",
    "tamil": "\u0b80-\u0bff",
    "telugu": "\u0c00-\u0c7f",
    "kannada": "\u0c80-\u0cff",
    "malayalam": "\u0d00-\u0d7f",
    "sinhala": "\u0d80-\u0dff",
    "thai": "\u0e01-\u0e5b",
    "lao": "\u0e80-\u0eff",
    "tibetan": "\u0f00-\u0fff",
    "burmese": "\u1000-\u109f",
    "georgian": "\u10a0-\u10ff\u1c90-\u1cbf",
    "ethiopic": "\u1200-\u139f",
    "cherokee": "\u13a0-\u13ff\uab70-\uabbf",
    "khmer": "\u1780-\u17ff",
    "hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3",
    "kana": "\u3041-\u3096\u309d-\u30fa\u30fc-\u30ff\uff66-\uff9d",
    "han": "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
}
_LETTER = re.compile("|".join(f"(?P<{script}>[{letters}])" for script, letters in _SCRIPTS.items()))

_ONLY = {
    "greek": "el", "armenian": "hy", "hebrew": "he", "gurmukhi": "pa", "gujarati": "gu", "odia": "or", "tamil": "ta",
    "telugu": "te", "kannada": "kn", "malayalam": "ml", "sinhala": "si", "thai": "th", "burmese": "my",
    "georgian": "ka", "ethiopic": "am", "cherokee": "chr", "hangul": "ko", "kana": "ja",
}  # fmt: skip
"""The language that a script stands for; of several, the one that most people write in it."""
_SHARED = {
    "cyrillic": ("ru", "ba", "be", "bg", "kk", "ky", "mk", "sr", "tt", "uk"),
    "arabic": ("ar", "fa", "ug", "ur"),
    "devanagari": ("hi", "mr", "ne"),
    "bengali": ("bn", "as"),
    "latin": (
        "en", "af", "an", "az", "bs", "ca", "cs", "cy", "da", "de", "eo", "es", "et", "eu", "fi", "fr", "ga", "gd",
        "hr", "ht", "hu", "id", "is", "it", "ku", "la", "lb", "lt", "ltg", "lv", "ms", "mt", "nl", "nn", "no", "om",
        "pl", "pt", "qu", "ro", "sk", "sl", "sq", "sr", "sv", "sw", "tk", "tr", "uz", "vi",
    ),
}  # fmt: skip
"""The languages that share a script and that the model knows. But for Latin, the first one is taken if it cannot tell:
that it is in this script says enough.
"""
_CANTONESE = re.compile("[嘅咗唔喺佢嚟啲冇嗰咁哋乜嘢噉]")
_WEIGHT = {"han": 3, "kana": 3, "hangul": 2}
"""How many letters of an alphabet say as much as one of these."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A BCP-47 tag that `profile_for_language` knows, or None, and how sure that is, from 0 to 1."""

    language: str | None
    confidence: float


def detect_language(text: str) -> Detection:
    """Return the language of `text`. None if it has too few letters to tell, or a script that cannot be spoken.

    May take a second when it is first called, for the model; then about 0.1 ms a sentence. Safe to call from threads.
    """
    words = " ".join(word for word in text[:_LOOKED_AT].split() if "://" not in word and "@" not in word)
    letters = Counter(cast("str", letter.lastgroup) for letter in _LETTER.finditer(words))
    for script in letters:
        letters[script] *= _WEIGHT.get(script, 1)
    total = letters.total()
    if letters["kana"]:
        letters["kana"] += letters.pop("han", 0)
    if not total:
        return Detection(None, 0.0)
    script, count = letters.most_common(1)[0]
    share = count / total
    if script == "han":
        cantonese = len(_CANTONESE.findall(words)) * _WEIGHT["han"] / count
        return Detection("yue" if cantonese > 0.03 else "zh", share)
    if script in _ONLY:
        return Detection(_ONLY[script], share)
    return _choose(_SHARED.get(script, ()), words, share)


def _choose(languages: Sequence[str], words: str, share: float) -> Detection:
    """Return the likeliest of the languages of one script, which a share of the letters is in."""
    ranked: list[tuple[str, float]] = [each for each in _model().rank(words) if each[0] in languages]
    total = sum(probability for _, probability in ranked)
    if not total:
        return Detection(None, 0.0)
    language, probability = ranked[0]
    confidence = share * probability / total
    if probability / total >= LEAST_CONFIDENCE:
        return Detection(language, min(1.0, confidence))
    return Detection(None, 0.0) if languages is _SHARED["latin"] else Detection(languages[0], min(1.0, confidence))


_loading = threading.Lock()


def _model() -> Any:  # py3langid has no types
    with _loading:
        return _load()


@cache
def _load() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
