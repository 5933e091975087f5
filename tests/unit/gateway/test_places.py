"""The places that clients carry."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.places import Place, Seal, mark_of

SEAL = Seal(b"secret", 4)
SEQUENCES = st.tuples(*[st.integers(0, 2**64 - 1)] * 4)
MARKS = st.binary(min_size=4, max_size=4)


@given(MARKS, SEQUENCES)
def test_a_place_comes_back_as_it_was(mark: bytes, sequences: tuple[int, ...]) -> None:
    place = Place(mark, sequences)
    text = SEAL.close(place)
    assert SEAL.open(text) == place
    assert text.replace("-", "").replace("_", "").isalnum()
    assert Seal(b"another", 4).open(text) is None


@given(SEQUENCES, st.integers(0, 51), st.integers(1, 255))
def test_a_text_that_was_changed_is_no_place(sequences: tuple[int, ...], at: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(SEAL.close(Place(b"mark", sequences)) + "=="))
    raw[at] ^= change
    assert SEAL.open(base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")) is None


@given(st.text(max_size=120))
def test_any_other_text_is_no_place(text: str) -> None:
    assert SEAL.open(text) is None


def test_a_text_says_nothing_about_the_place() -> None:
    texts = [SEAL.close(Place(b"mark", (1000, 20, 3, sequence))) for sequence in range(200)]
    assert len(set(texts)) == 200
    # Neighbours have nothing in common, neither at the front nor at the end.
    assert len({text[:6] for text in texts}) > 190
    assert len({text[-6:] for text in texts}) > 190


def test_a_place_moves_in_one_stream() -> None:
    assert Place(b"mark", (1, 2, 3)).at(1, 9) == Place(b"mark", (1, 9, 3))


def test_streams_that_were_made_anew_have_another_mark() -> None:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    marks = {
        mark_of({"A": made, "B": made}),
        mark_of({"A": made, "B": None}),
        mark_of({"A": made, "B": made.replace(day=2)}),
        mark_of({"A": made}),
    }
    assert len(marks) == 4
    assert mark_of({"A": made, "B": made}) == mark_of({"B": made, "A": made})


def test_more_streams_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="more streams"):
        Seal(b"secret", 8)
