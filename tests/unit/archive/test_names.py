"""Names for files that any system can unpack."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.archive.names import Names, safe_name


@pytest.mark.parametrize(
    ("wished", "safe"),
    [
        ("speech.mp3", "speech.mp3"),
        ("Grüße, 世界 👋.wav", "Grüße, 世界 👋.wav"),
        ("Gru\u0308n", "Grün"),
        ("/etc/passwd", "_etc_passwd"),
        ("..\\..\\a", "_.._a"),
        ("a\u202egpj.exe\n", "agpj.exe"),
        ("NUL.mp3", "_NUL.mp3"),
        ("Lpt1", "_Lpt1"),
        (' what? "yes": <a|b> ', "what_ _yes__ _a_b_"),
        ("dots...", "dots"),
        ("..", "file"),
        ("é" * 300 + ".mp3", "é" * 98 + ".mp3"),
        ("a." + "b" * 300, "a." + "b" * 198),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_names_are_made_safe(wished: str, safe: str) -> None:
    assert safe_name(wished) == safe


@given(st.lists(st.text(max_size=8) | st.sampled_from(["a", "A", "a (2)", "ß", "SS", "İ", "..", "/"]), max_size=30))
def test_no_two_names_are_the_same(wished: list[str]) -> None:
    names = Names()
    taken = [names.take(name) for name in wished]
    assert len({name.casefold() for name in taken}) == len(wished)
    assert all(name and "/" not in name and "\\" not in name and name not in (".", "..") for name in taken)
    assert all(len(name.encode()) <= 255 for name in taken)


def test_many_files_of_one_name_take_no_longer_each() -> None:
    names = Names()
    began = process_time()
    taken = {names.take("speech.mp3") for _ in range(20_000)}
    assert len(taken) == 20_000
    assert process_time() - began < 5
