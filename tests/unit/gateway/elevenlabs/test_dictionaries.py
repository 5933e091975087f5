from __future__ import annotations

import pytest

from services.gateway.domain.elevenlabs.dictionaries import our_rule, their_rule, with_rules, without_rules
from services.gateway.domain.elevenlabs.lexicon_files import read_lexicon, written_lexicon
from services.gateway.domain.failures import InvalidField

ALIAS = {"type": "alias", "string_to_replace": "UN", "alias": "United Nations"}
PHONEME = {"type": "phoneme", "string_to_replace": "tomato", "phoneme": "təˈmeɪtoʊ", "alphabet": "ipa"}


def test_rules_go_there_and_back() -> None:
    for theirs in (ALIAS, PHONEME):
        ours = {"case_sensitive": True, "whole_words": True, **our_rule(theirs)}
        assert their_rule(ours) == {**theirs, "case_sensitive": True, "word_boundaries": True}
    assert our_rule({**ALIAS, "case_sensitive": False, "word_boundaries": False})["whole_words"] is False


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"type": "regex"}, "rules.4.type"),
        ({**PHONEME, "alphabet": "cmu-arpabet"}, "rules.4.alphabet"),
        ({"type": "alias", "string_to_replace": "UN"}, "rules.4"),
        ({"type": "alias", "alias": "United Nations"}, "rules.4"),
    ],
)
def test_rules_that_cannot_be_spoken_are_named(wrong: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidField) as named:
        our_rule(wrong, 4)
    assert named.value.field == field


def test_rules_are_replaced_by_their_phrase_and_one_stays() -> None:
    first, second = our_rule(ALIAS), our_rule(PHONEME)
    other = our_rule({**ALIAS, "alias": "unanimous"})
    assert with_rules([first, second], [other]) == [second, other]
    assert without_rules([first, second], ["UN", "nothing"]) == [second]
    with pytest.raises(InvalidField, match="rule_strings"):
        without_rules([first], ["UN"])


def test_a_lexicon_is_read_as_it_was_written() -> None:
    rules = [
        {"kind": "alias", "phrase": "R&D <x>", "replacement": "research & development"},
        {"kind": "ipa", "phrase": "tomato", "replacement": "təˈmeɪtoʊ"},
    ]
    assert read_lexicon(written_lexicon(rules).encode()) == rules


def test_a_lexeme_may_have_several_graphemes_and_its_first_reading_counts() -> None:
    content = (
        b"<lexicon alphabet='ipa'><lexeme><grapheme>colour</grapheme><grapheme> color </grapheme>"
        b"<example>a <b>bright</b> colour</example><phoneme>k</phoneme><alias>hue</alias></lexeme>"
        b"<lexeme><grapheme>silent</grapheme></lexeme></lexicon>"
    )
    read = [(rule["phrase"], rule["replacement"]) for rule in read_lexicon(content)]
    assert read == [("colour", "k"), ("color", "k")]


SAMPA = b"<lexicon alphabet='x-sampa'><lexeme><grapheme>a</grapheme><phoneme>b</phoneme></lexeme></lexicon>"
BOMB = b"<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><lexicon>&b;</lexicon>"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no XML"),
        (b"not a lexicon", "no XML"),
        (b"<lexicon/>", "no lexeme"),
        (BOMB, "document type"),
        (b"<!DOCTYPE l SYSTEM 'file:///etc/passwd'><lexicon/>", "document type"),
        (SAMPA, "x-sampa"),
    ],
)
def test_files_that_are_no_lexicon_are_named(content: bytes, said: str) -> None:
    with pytest.raises(InvalidField, match=said):
        read_lexicon(content)
