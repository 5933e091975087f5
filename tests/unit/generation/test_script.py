"""Texts with markup, taken apart: every piece has something to speak."""

from __future__ import annotations

import pytest

from services.generation.domain.errors import InvalidMarkup
from services.generation.domain.speech import Script

LONG_SUB = "Once. " * 300


@pytest.mark.parametrize(
    "inside",
    [
        f'Before it. <sub alias="nothing new">{LONG_SUB}</sub> And after it.',
        f'<sub alias="nothing new">{LONG_SUB}</sub>',
        f'One. <phoneme ph="tə">{LONG_SUB}</phoneme><sub alias="two">{LONG_SUB}</sub>',
    ],
    ids=["between", "alone", "two"],
)
def test_what_is_spoken_in_place_of_a_text_is_not_divided(inside: str) -> None:
    text = f"<speak>{inside}</speak>"
    pieces = Script(text, "ssml", None, "en-US").pieces()
    assert all(piece.reading.text.strip() for piece in pieces)
    assert sum(piece.characters for piece in pieces) == len(text)
    assert [piece.first for piece in pieces[1:]] == [piece.first + piece.characters for piece in pieces[:-1]]


def test_other_markup_is_divided_as_before() -> None:
    text = f"<speak>{LONG_SUB}<emphasis>{LONG_SUB}</emphasis></speak>"
    assert len(Script(text, "ssml", None, "en-US").pieces()) > 2


def test_pauses_alone_are_one_piece() -> None:
    breaks = 40 * '<break time="1s"/>'
    text = f"<speak>{breaks}</speak>"
    (piece,) = Script(text, "ssml", None, "en-US").pieces()
    assert (piece.first, piece.characters) == (0, len(text))
    assert piece.reading.text.count("<break") == 40


def test_markup_without_anything_to_speak_is_refused() -> None:
    with pytest.raises(InvalidMarkup, match="nothing to speak"):
        Script("<speak></speak>", "ssml", None, "en-US")
