"""How rankings become one list, and what a text without a title is called."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.embedding.domain import TITLE_CHARACTERS, Ranked, fuse_documents, fuse_passages, most_compared, title_of
from services.embedding.domain.reach import ALWAYS_COMPARED, MOST_COMPARED


def ranked(number: int, chunk: int = 0) -> Ranked:
    return Ranked(UUID(int=1000 * number + chunk), UUID(int=number), 0.5, None)


def test_what_is_good_in_both_rankings_comes_first() -> None:
    near = [ranked(1), ranked(2), ranked(3)]
    worded = [ranked(2, 7), ranked(4, 7)]
    fused = fuse_documents([near, worded], 10)
    assert [(one.document_id.int, one.chunk_id.int % 1000) for one in fused] == [(2, 0), (1, 0), (4, 7), (3, 0)]
    assert [one.score for one in fused] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63])
    assert [one.chunk_id.int for one in fuse_passages([near, worded], 10)] == [1000, 2007, 2000, 4007, 3000]


def test_no_more_come_than_are_asked_for() -> None:
    assert [one.document_id.int for one in fuse_documents([[ranked(1), ranked(2)], [ranked(3)]], 2)] == [1, 3]
    assert fuse_documents([[], []], 5) == []


@given(st.lists(st.lists(st.integers(0, 30), unique=True), max_size=3), st.integers(1, 40))
def test_each_document_is_there_once(rankings: list[list[int]], limit: int) -> None:
    fused = fuse_documents([[ranked(number) for number in ranking] for ranking in rankings], limit)
    found = [one.document_id.int for one in fused]
    everything = {number for ranking in rankings for number in ranking}
    assert len(set(found)) == len(found) == min(limit, len(everything))
    assert set(found) <= everything


@given(st.integers(0, 10**9), st.integers(1, 1000))
def test_the_more_there_is_in_all_the_more_is_compared(total: int, wanted: int) -> None:
    most = most_compared(total, wanted)
    assert ALWAYS_COMPARED <= most <= MOST_COMPARED
    assert most <= most_compared(total + 1000, wanted)
    assert most <= most_compared(total, wanted + 10)


def test_where_comparing_and_the_index_cost_the_same() -> None:
    assert most_compared(100_000, 20) == 3_162
    assert most_compared(0, 10) == ALWAYS_COMPARED
    assert most_compared(10**9, 100) == MOST_COMPARED


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
