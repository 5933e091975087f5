"""What a worker remembers of what it has just spoken."""

from __future__ import annotations

from services.generation.rendering.recent import Recent


def test_what_was_kept_is_given_out_once() -> None:
    recent = Recent()
    recent.keep("a", b"first")
    assert recent.take("a") == b"first"
    assert recent.take("a") is None
    assert recent.take("b") is None


def test_the_oldest_go_when_it_gets_too_much() -> None:
    recent = Recent(most_bytes=10)
    for name in "abcd":
        recent.keep(name, bytes(4))
    assert [recent.take(name) is not None for name in "abcd"] == [False, False, True, True]
    recent.keep("e", bytes(10))
    assert recent.take("e") == bytes(10)
    recent.keep("f", bytes(11))
    assert recent.take("f") is None
