"""How rankings become one list, and what a text without a title is called."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.embedding.domain import TITLE_CHARACTERS, Hit, fuse_hits, title_of


def hit(number: int, text: str = "", score: float = 0.5) -> Hit:
    return Hit(UUID(int=number), "generation", str(number), "title", text, score, None, 0, len(text), {})


def test_what_is_good_in_both_rankings_comes_first() -> None:
    near = [hit(1, "near"), hit(2, "near"), hit(3, "near")]
    worded = [hit(2, "worded"), hit(4, "worded")]
    fused = fuse_hits([near, worded], 10)
    assert [(one.source_id, one.text) for one in fused] == [
        ("2", "near"),
        ("1", "near"),
        ("4", "worded"),
        ("3", "near"),
    ]
    assert [one.score for one in fused] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63])


def test_no_more_come_than_are_asked_for() -> None:
    assert [one.source_id for one in fuse_hits([[hit(1), hit(2)], [hit(3)]], 2)] == ["1", "3"]
    assert fuse_hits([[], []], 5) == []


@given(st.lists(st.lists(st.integers(0, 30), unique=True), max_size=3), st.integers(1, 40))
def test_each_document_is_there_once(rankings: list[list[int]], limit: int) -> None:
    fused = [one.source_id for one in fuse_hits([[hit(number) for number in ranking] for ranking in rankings], limit)]
    everything = {str(number) for ranking in rankings for number in ranking}
    assert len(set(fused)) == len(fused) == min(limit, len(everything))
    assert set(fused) <= everything


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  Hello,\n\tworld! ", "Hello, world!"),
        ("x" * TITLE_CHARACTERS, "x" * TITLE_CHARACTERS),
        ("word " * 40, "word " * 15 + "word…"),
        ("x" * 200, "x" * (TITLE_CHARACTERS - 1) + "…"),
        (" ", ""),
        ("\u200b" * 500, ""),
    ],
)
def test_the_title_of_a_text_is_its_beginning(text: str, title: str) -> None:
    assert title_of(text) == title


@given(st.text(max_size=500))
def test_every_text_has_a_title_of_one_short_line(text: str) -> None:
    title = title_of(text)
    assert len(title) <= TITLE_CHARACTERS
    assert len(title.splitlines()) <= 1
