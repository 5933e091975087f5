from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.embedding.domain import CHUNK_CHARACTERS, CHUNK_OVERLAP, Piece, cut

SENTENCE = "The quick brown fox jumps over the lazy dog near the river bank. "
# Letters, gaps of every kind, marks, punctuation and scripts without spaces, in any order.
TEXT = st.text(st.sampled_from("ab \n\t\u00a0\u200b.,-\u0301\u200d世界。ไทย👩🏽é"), max_size=400)


def _check(text: str, pieces: tuple[Piece, ...], size: int, overlap: int) -> None:
    for idx, piece in enumerate(pieces):
        assert piece.idx == idx
        assert piece.content == text[piece.start : piece.end]
        assert 0 < len(piece.content) <= size
        assert piece.content == piece.content.strip()
    for before, after in pairwise(pieces):
        assert before.start < after.start
        assert before.end < after.end
        assert before.end - after.start <= overlap
    covered = {place for piece in pieces for place in range(piece.start, piece.end)}
    assert all(text[place].isspace() or text[place] == "\u200b" for place in set(range(len(text))) - covered)


@given(TEXT, st.integers(1, 60), st.integers(0, 29))
def test_pieces_hold_everything_within_their_bounds(text: str, size: int, overlap: int) -> None:
    overlap = min(overlap, (size - 1) // 2)
    _check(text, cut(text, size=size, overlap=overlap), size, overlap)


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30), max_size=300))
def test_words_stay_whole(words: list[str]) -> None:
    text = " ".join(words)
    pieces = cut(text)
    _check(text, pieces, CHUNK_CHARACTERS, CHUNK_OVERLAP)
    for piece in pieces:
        assert piece.start == 0 or text[piece.start - 1] == " "
        assert piece.end == len(text) or text[piece.end] == " "


def test_a_short_text_is_one_piece_without_its_margins() -> None:
    assert cut("  Hello, world.\n") == (Piece(0, "Hello, world.", 2, 15),)


@pytest.mark.parametrize("text", ["", " ", " \n\t\u00a0\u200b" * 700])
def test_text_without_words_gives_nothing(text: str) -> None:
    assert cut(text) == ()


def test_a_text_of_exactly_the_size_is_one_piece() -> None:
    assert len(cut("x" * CHUNK_CHARACTERS)) == 1
    assert len(cut("x" * (CHUNK_CHARACTERS + 1))) == 2


def test_prose_uses_the_size_and_the_overlap() -> None:
    text = SENTENCE * 100
    pieces = cut(text)
    _check(text, pieces, CHUNK_CHARACTERS, CHUNK_OVERLAP)
    assert all(len(piece.content) > CHUNK_CHARACTERS - 10 for piece in pieces[:-1])
    shared = [before.end - after.start for before, after in pairwise(pieces)]
    assert all(CHUNK_OVERLAP - 10 < count <= CHUNK_OVERLAP for count in shared)


def test_an_enormous_word_is_cut_by_size() -> None:
    text = "a" * 3_000
    assert [(piece.start, piece.end) for piece in cut(text)] == [(0, 1000), (800, 1800), (1600, 2600), (2400, 3000)]


def test_a_script_without_spaces_is_cut_after_its_punctuation() -> None:
    text = "今日は天気がとても良いので、公園まで散歩に行きました。" * 100
    pieces = cut(text)
    _check(text, pieces, CHUNK_CHARACTERS, CHUNK_OVERLAP)
    assert all(piece.content[-1] in "、。" for piece in pieces)
    assert all(text[piece.start - 1] in "、。" for piece in pieces[1:])


def test_zero_width_spaces_part_words() -> None:
    text = "\u200b".join(["สวัสดี"] * 400)
    assert all(set(piece.content.split("\u200b")) == {"สวัสดี"} for piece in cut(text))


@pytest.mark.parametrize("grapheme", ["e\u0301", "👩🏽\u200d🚀", "क\u094d\u0937\u093f"])
def test_graphemes_stay_whole(grapheme: str) -> None:
    text = grapheme * 1_200
    pieces = cut(text)
    _check(text, pieces, CHUNK_CHARACTERS, CHUNK_OVERLAP)
    for piece in pieces:
        assert piece.start % len(grapheme) == 0
        assert piece.end % len(grapheme) == 0


def test_marks_without_end_are_still_cut() -> None:
    text = "a" + "\u0301" * 5_000
    _check(text, cut(text), CHUNK_CHARACTERS, CHUNK_OVERLAP)


def test_a_wide_gap_repeats_nothing() -> None:
    pieces = cut("before" + " " * 2_500 + "after")
    assert [piece.content for piece in pieces] == ["before", "after"]


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (10, 5), (10, -1)])
def test_an_overlap_that_would_not_advance_is_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap must be"):
        cut("text", size=size, overlap=overlap)
