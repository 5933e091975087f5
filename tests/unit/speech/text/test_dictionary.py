"""Rules of dictionaries apply where they should, once, and leave the origin of every character."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.text.dictionary import MOST_RULES, Lexicon, Rule
from libs.speech.text.reading import NOTHING


def alias(phrase: str, replacement: str, *, case_sensitive: bool = True, whole_words: bool = True) -> Rule:
    return Rule("alias", phrase, replacement, case_sensitive, whole_words)


def said(text: str, *rules: Rule) -> str:
    return Lexicon(rules).read(text).text


def test_an_alias_is_said_for_its_phrase() -> None:
    reading = Lexicon([alias("nginx", "engine x")]).read("Run nginx's best.")
    assert reading.text == "Run engine x's best."
    assert list(reading.origins) == [0, 1, 2, 3, 4, 4, 5, 5, 6, 7, 7, 8, *range(9, 17)]


def test_ipa_becomes_phonemes_of_the_language() -> None:
    rules = [Rule("ipa", "Bath", "bɑːθ")]
    assert Lexicon(rules).read("In Bath.").text == "In [[bA:T]]."
    assert list(Lexicon(rules).read("Bath").origins) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert Lexicon([Rule("ipa", "Bahn", "baːn")], language="de-CH").read("Bahn").text == "[[bA:n]]"


def test_ipa_is_left_out_for_an_engine_without_phonemes() -> None:
    lexicon = Lexicon([Rule("ipa", "Bath", "bɑːθ"), alias("Bat", "X"), alias("Bath", "town")], phonemes=False)
    assert lexicon.read("In Bath.").text == "In town."


def test_case_counts_unless_it_is_said_not_to() -> None:
    assert said("US us Us", alias("US", "U S")) == "U S us Us"
    assert said("US us Us", alias("US", "U S", case_sensitive=False)) == "U S U S U S"
    assert said("ÉTÉ été", alias("été", "summer", case_sensitive=False)) == "summer summer"
    assert said("İ Σς", alias("σσ", "sigma", case_sensitive=False)) == "İ Σς"


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("cat concat cats cat2 cat_ cat", "cat", "X concat cats cat2 cat_ X"),
        ("l’eau l'eau (eau)", "eau", "l’X l'X (X)"),
        ("C++ aC++ C++a", "C++", "X aC++ Xa"),
        ("кот который кот", "кот", "X который X"),
        ("東京都に行く", "東京", "X都に行く"),
        ("กินข้าวแล้ว", "ข้าว", "กินXแล้ว"),
        ("서울에서", "서울", "X에서"),
        ("नमस नमस्ते", "नमस", "X नमस्ते"),
        ("cafe cafe\u0301", "cafe", "X cafe\u0301"),
        ("使用GPU计算", "GPU", "使用X计算"),
    ],
    ids=["latin", "apostrophe", "signs", "cyrillic", "han", "thai", "hangul", "devanagari", "combining", "mixed"],
)
def test_whole_words_in_any_script(text: str, phrase: str, expected: str) -> None:
    assert said(text, alias(phrase, "X")) == expected


def test_parts_of_words_when_asked_for() -> None:
    assert said("concat cat", alias("cat", "X", whole_words=False)) == "conX X"
    assert said("e\u0301", alias("e", "X", whole_words=False)) == "e\u0301"


def test_the_longest_phrase_wins_then_the_first_rule() -> None:
    assert said("New York City", alias("New York", "NY"), alias("New York City", "NYC")) == "NYC"
    assert said("New York Cityscape", alias("New York City", "NYC"), alias("New York", "NY")) == "NY Cityscape"
    assert said("AA", alias("AA", "first", case_sensitive=False), alias("AA", "second")) == "first"
    assert said("Aa", alias("AA", "first"), alias("aa", "second", case_sensitive=False)) == "second"


def test_the_first_dictionary_wins() -> None:
    lexicon = Lexicon([alias("New York", "NY")], [alias("New York City", "NYC"), alias("Rome", "Roma")])
    assert lexicon.read("New York City, Rome").text == "NY City, Roma"


def test_no_rule_reads_what_another_wrote() -> None:
    assert said("a b", alias("a", "b"), alias("b", "a")) == "b a"


def test_phonemes_come_from_rules_only() -> None:
    assert said("a [[b]] [[[c") == "a [\u200b[b]] [\u200b[\u200b[c"
    assert said("[x", Rule("ipa", "x", "a")) == "[\u200b[[a]]"
    assert said("x[", alias("x", "[[y[")) == "[\u200b[y[\u200b["
    reading = Lexicon().read("[[")
    assert list(reading.origins) == [0, NOTHING, 1]


@given(st.text("[] ab", max_size=30))
def test_brackets_never_meet_in_what_a_client_wrote(text: str) -> None:
    lexicon = Lexicon([alias("b", "[[b["), Rule("ipa", "a", "a", whole_words=False)])
    reading = lexicon.read(text)
    assert "[[" not in reading.text.replace("[[a]]", ".")
    assert "[[[" not in reading.text
    origins = [origin for origin in reading.origins if origin != NOTHING]
    assert origins == sorted(origins)
    assert set(origins) == set(range(len(text)))


@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=4).filter(str.strip), max_size=5))
def test_phrases_that_are_said_as_they_are_written_change_nothing(text: str, phrases: list[str]) -> None:
    lexicon = Lexicon([alias(phrase, phrase, whole_words=False) for phrase in phrases])
    assert lexicon.read(text).text.replace("\u200b", "") == text.replace("\u200b", "")


@pytest.mark.parametrize(
    ("kind", "phrase", "replacement", "message"),
    [
        ("alias", "", "x", "the phrase"),
        ("alias", "x", " ", "the replacement"),
        ("alias", "x" * 101, "x", "1 to 100"),
        ("ipa", "x", "q%", "'%'"),
    ],
    ids=["no-phrase", "no-replacement", "long", "no-sound"],
)
def test_a_rule_says_what_is_wrong(kind: str, phrase: str, replacement: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rule("ipa" if kind == "ipa" else "alias", phrase, replacement)


def test_there_are_limits() -> None:
    with pytest.raises(ValueError, match="1001 rules"):
        Lexicon([alias("a", "b")] * 1001)
    with pytest.raises(ValueError, match="4 dictionaries"):
        Lexicon([], [], [], [])


WORDS = ["".join(random.Random(seed).choices("abcdefgh", k=3 + seed % 9)) for seed in range(3 * MOST_RULES)]
LARGE = {
    "prose": (WORDS, "a quick abc word and " + " ".join(WORDS[::50]) + ". "),
    "phrases": ([f"{word} {word}" for word in WORDS], "abc abd hgf abcdefg "),
    "no-phrase": ([f"9{word}" for word in WORDS], "999999999999999 "),
    "alike": (["a" * length + "b" for length in range(1, 99)], "a"),
    "brackets": (["x"], "[["),
}


@pytest.mark.parametrize(("phrases", "text"), LARGE.values(), ids=LARGE)
def test_three_full_dictionaries_read_in_linear_time(phrases: list[str], text: str) -> None:
    rules = [
        alias(phrase, "said", case_sensitive=index % 2 == 0, whole_words=index % 3 == 0)
        for index, phrase in enumerate(phrases)
    ]
    lexicon = Lexicon(*(rules[start : start + MOST_RULES] for start in range(0, len(rules), MOST_RULES)))
    longer = text * (100_000 // len(text))
    began = time.process_time()
    lexicon.read(longer)
    assert time.process_time() - began < 3.0
