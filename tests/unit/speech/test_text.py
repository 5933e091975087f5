"""What the engine reads has as many characters as what was sent, and none that harm it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libs.speech.spoken_text import readable


@given(st.text(max_size=300))
def test_positions_stay(text: str) -> None:
    assert len(readable(text)) == len(text)


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("Hello, world! 3.5 and e.g. this.", "Привет, мир", "今日は良い天気です。", "été 👩‍👧 नमस्ते", "a\n\tb"):
        assert readable(text) == text


def test_commands_and_what_is_no_text_become_spaces() -> None:
    assert readable("a\x01b\ue000c") == "a b c"
    assert "." not in readable("A.B.C." * 200)


def test_an_apostrophe_before_a_hyphen_becomes_a_space_unless_it_ends_a_word() -> None:
    assert readable("'-a ‘-b (’-c ''-d") == " -a  -b ( -c ' -d"
    for text in ("rock'-n'-roll", "it's-a", "'a-b'", "boys' -"):
        assert readable(text) == text
