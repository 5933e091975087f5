from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.embedding.domain import SourceType, content_hash, fuse, language_name, voice_text


def test_equal_texts_have_equal_hashes() -> None:
    # `printf 'Grüße' | sha256sum`
    assert content_hash("Grüße") == "f83e039796c6453a10f5519e39fd113901572316a1a8ea07cb525d2801dfd074"
    assert content_hash("Grüße") != content_hash("grüße")


def test_a_voice_is_found_by_everything_that_people_say_of_it() -> None:
    text = voice_text(name="Aaron", description="Soothing and calm", category="Audiobook", language="en-GB")
    assert text == "Aaron: Soothing and calm\nAudiobook voice\nBritish English (en-GB)"


def test_a_voice_without_description_has_no_gap() -> None:
    assert voice_text(name="Иван", description=None, category="General", language="ru-RU").startswith("Иван\n")
    assert voice_text(name="Иван", description="", category="General", language="ru-RU").startswith("Иван\n")


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("en-US", "American English"),
        ("en_in", "Indian English"),
        ("ru-RU", "Russian"),
        ("pt-BR", "Brazilian Portuguese"),
        ("zh-Hant-TW", "Chinese"),
        ("de", "German"),
        ("tlh", "tlh"),
        ("", ""),
    ],
)
def test_languages_are_called_by_their_names(tag: str, name: str) -> None:
    assert language_name(tag) == name


def test_what_both_rankings_hold_comes_first() -> None:
    fused = fuse([["a", "b", "c"], ["c", "d"]])
    assert [item for item, _ in fused] == ["c", "a", "b", "d"]
    assert dict(fused)["c"] == pytest.approx(1 / 63 + 1 / 61)


def test_a_small_k_favours_the_first_place() -> None:
    rankings = [["a", "b", "x"], ["y", "b", "z"]]
    assert fuse(rankings)[0][0] == "b"
    assert fuse([["a", "p", "b"], ["q", "r", "b"]], k=0)[0][0] == "a"


def test_ties_keep_the_order_of_arrival() -> None:
    assert [item for item, _ in fuse([["a"], ["b"], ["c"]])] == ["a", "b", "c"]


@pytest.mark.parametrize("rankings", [[], [[]], [[], []]])
def test_nothing_fuses_to_nothing(rankings: list[list[str]]) -> None:
    assert fuse(rankings) == []


@given(st.lists(st.lists(st.integers(0, 20), max_size=20), max_size=4))
def test_every_item_comes_once_by_falling_score(rankings: list[list[int]]) -> None:
    fused = fuse(rankings)
    assert sorted(item for item, _ in fused) == sorted({item for ranking in rankings for item in ranking})
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)


@given(st.lists(st.integers(), unique=True))
def test_one_ranking_stays_as_it_is(ranking: list[int]) -> None:
    assert [item for item, _ in fuse([ranking])] == ranking


def test_source_types_are_those_that_clients_know() -> None:
    assert {"voice", "generation", "chat", "knowledge_file", "portfolio_insight"} <= set(SourceType)
