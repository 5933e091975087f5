"""Words as a client would mark them in its text, in any script."""

from __future__ import annotations

from itertools import pairwise
from time import process_time
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.captions.words import is_silent, words

CASES = {
    "latin": ("Hello, big world!", ["Hello", "big", "world"]),
    "apostrophes": ("It's the dogs’ rock ’n’ roll, don’t", ["It's", "the", "dogs", "rock", "n", "roll", "don’t"]),
    "hyphens": ("a well-known state--of COVID-19 -", ["a", "well-known", "state", "of", "COVID-19"]),
    "numbers": ("1,234.50 1.234,50 10:30 2024-01-31 1/2 ½ 10² 3rd", None),
    "thousands": ("1\u202f234\u202f567 5\u00a0items 12\u00a013", ["1\u202f234\u202f567", "5", "items", "12", "13"]),
    "sentence end after a number": ("In 1999. 5,", ["In", "1999", "5"]),
    "money and percent": ("$5.50, 20€ (5%) +4 #1", ["$5.50", "20€", "5%", "+4", "#1"]),
    "symbols read aloud": ("2+2=4 A & B", ["2", "+", "2", "=", "4", "A", "&", "B"]),
    "abbreviations": ("U.S.A. e.g. me@example.com", ["U.S.A", "e.g", "me@example.com"]),
    "chinese": ("中文，2024年", ["中", "文", "2024", "年"]),
    "ideograph with variation": ("葛\U000e0100城", ["葛\U000e0100", "城"]),
    "japanese": ("日本語のスーパーとテスト。", ["日", "本", "語", "の", "スーパー", "と", "テスト"]),
    "korean": ("안녕 하세요.", ["안녕", "하세요"]),
    "thai": ("ภาษาไทย ง่าย", ["ภาษาไทย", "ง่าย"]),
    "lao khmer burmese": ("ພາສາລາວ ភាសាខ្មែរ မြန်မာ", ["ພາສາລາວ", "ភាសាខ្មែរ", "မြန်မာ"]),
    "thai beside latin": ("ภาษาEnglish", ["ภาษา", "English"]),
    "hindi": ("हिन्दी क्षत्रिय।", ["हिन्दी", "क्षत्रिय"]),
    "joiners": ("می\u200cخواهم co\u00adop", ["می\u200cخواهم", "co\u00adop"]),
    "combining": ("e\u0301te\u0301 x\u0302\u0301", ["e\u0301te\u0301", "x\u0302\u0301"]),
    "hebrew": ("שלום, רמטכ״ל", ["שלום", "רמטכ״ל"]),
    "arabic": ("العربيّة ١٬٢٣٤٫٥", ["العربيّة", "١٬٢٣٤٫٥"]),
    "family": ("a👨‍👩‍👧‍👦b", ["a", "👨‍👩‍👧‍👦", "b"]),
    "tones": ("👍🏽👍", ["👍🏽", "👍"]),
    "flags": ("🇩🇪🇫🇷🏴󠁧󠁢󠁥󠁮󠁧󠁿", ["🇩🇪", "🇫🇷", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]),
    "keys": ("1️⃣2️⃣ 12 #️⃣ *️⃣", ["1️⃣", "2️⃣", "12", "#️⃣", "*️⃣"]),
    "heart on fire": ("❤️‍🔥❤️", ["❤️‍🔥", "❤️"]),
    "silence": ("--- ... “” *** \n\t ,", []),
    "nothing": ("", []),
}


@pytest.mark.parametrize("case", CASES)
def test_words_are_those_of_the_script(case: str) -> None:
    text, expected = CASES[case]
    assert [text[begin:stop] for begin, stop in words(text)] == (text.split() if expected is None else expected)


SCRIPTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("aé1,.'- \u200d\ufe0f\u20e3👍🏽🇩🇪日のテก\u0e48م\u064b\u0301$%@#*\u00a0"),
    ),
    max_size=60,
)


@given(SCRIPTS)
def test_every_letter_and_digit_is_in_one_word(text: str) -> None:
    found = words(text)
    assert all(0 <= begin < stop <= len(text) for begin, stop in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    inside = {index for begin, stop in found for index in range(begin, stop)}
    assert all(index in inside for index, character in enumerate(text) if category(character)[0] in "LN")


@given(SCRIPTS)
def test_a_mark_is_never_parted_from_its_letter(text: str) -> None:
    for begin, stop in words(text):
        assert category(text[begin])[0] != "M"
        assert stop == len(text) or category(text[stop])[0] != "M"


@given(SCRIPTS)
def test_a_word_by_itself_is_a_word(text: str) -> None:
    assert not any(is_silent(text[begin:stop]) for begin, stop in words(text))
    assert is_silent(text) == (not words(text))


@pytest.mark.parametrize(
    "part", ["word ", "a.", "1,", "1\u00a0", "👍🏽\u200d", "🇩", "$", "\u0301", "1\ufe0f", "日"], ids=ascii
)
def test_the_time_grows_with_the_length_only(part: str) -> None:
    text = part * (300_000 // len(part))
    began = process_time()
    words(text)
    assert process_time() - began < 2
