from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.elevenlabs.markup import script_of
from services.gateway.domain.elevenlabs.speech import Follower, alignment_of, spoken_of
from services.gateway.domain.failures import InvalidField

VOICE = "0190a0c0-0000-7000-8000-000000000000"


def _document(**fields: Any) -> dict[str, Any]:  # Any: JSON
    return dict(spoken_of({"text": "Hello.", **fields}, VOICE, "mp3_44100_128").document)


def test_what_means_something_here_is_asked_for_in_our_words() -> None:
    assert _document() == {
        "text": "Hello.",
        "input_type": "text",
        "voice_id": VOICE,
        "format": "mp3_44100_128",
        "mode": "interactive",
    }
    locators = [{"pronunciation_dictionary_id": "a", "version_id": "3"}, {"pronunciation_dictionary_id": "b"}]
    asked = _document(
        voice_settings={"speed": 1.2, "stability": 0.5},
        language_code="de",
        seed=7,
        temperature=0.3,
        model_id="kokoro",
        pronunciation_dictionary_locators=locators,
        enable_logging=False,
    )
    assert {**_document(), **asked} == asked
    assert asked["speed"] == 1.2
    assert (asked["language"], asked["seed"], asked["temperature"], asked["model_id"]) == ("de", 7, 0.3, "kokoro")
    assert asked["dictionaries"] == [{"id": "a", "version": 3}, {"id": "b"}]
    assert asked["cache"] is False


def test_what_means_nothing_is_named() -> None:
    spoken = spoken_of(
        {
            "text": "Hello.",
            "model_id": "eleven_multilingual_v2",
            "voice_settings": {"stability": 0.5, "style": None, "a b": 1},
            "previous_text": "Before.",
            "apply_text_normalization": "off",
            "unknown": ["telepathy", "not\r\na header"],
        },
        VOICE,
        "mp3_44100_128",
    )
    assert list(spoken.ignored) == [
        "apply_text_normalization",
        "model_id",
        "previous_text",
        "telepathy",
        "voice_settings.stability",
    ]
    assert "model_id" not in spoken.document


def test_a_long_text_is_a_job() -> None:
    assert _document(text="x" * 5000)["mode"] == "interactive"
    assert _document(text="x" * 5001)["mode"] == "job"


@pytest.mark.parametrize("version", ["", "0", "-1", "latest", "99999999999", "1.0", "²"])
def test_a_version_that_is_none_is_named(version: str) -> None:
    with pytest.raises(InvalidField, match="version_id"):
        _document(pronunciation_dictionary_locators=[{"pronunciation_dictionary_id": "a", "version_id": version}])


def test_pauses_become_markup_and_all_else_is_text() -> None:
    script = script_of('a < b & c <break time="1.5s" /> d <i>')
    assert script.input_type == "ssml"
    assert script.text == '<speak>a &lt; b &amp; c <break time="1.5s"/> d &lt;i&gt;</speak>'
    assert script_of("a < b").input_type == "text"
    assert script_of('<break time="a lot"/>').input_type == "text"


@given(st.lists(st.sampled_from(['<break time="1s" />', "a", "&", "<", " ", "é", "\U0001f600"]), max_size=20))
def test_every_character_is_where_it_was_written(pieces: list[str]) -> None:
    text = "".join(pieces)
    script = script_of(text)
    assert len(script.spans) == len(text)
    assert all(earlier[0] <= later[0] for earlier, later in zip(script.spans, script.spans[1:], strict=False))
    times = [float(at) for at in range(len(script.text) + 1)]
    aligned = alignment_of(text, script, times[:-1], times[1:])
    assert "".join(aligned["characters"]) == text
    assert len(aligned["character_start_times_seconds"]) == len(aligned["character_end_times_seconds"]) == len(text)


@given(st.text("ab&<", min_size=1, max_size=30), st.booleans(), st.lists(st.integers(1, 9), min_size=1))
def test_times_that_come_piece_by_piece_are_those_of_the_whole(text: str, pause: bool, sizes: list[int]) -> None:
    text = f'{text}<break time="1s"/>b' if pause else text
    script = script_of(text)
    starts = [float(at) for at in range(len(script.text))]
    follower = Follower(text, script)
    told: list[str] = []
    begins: list[float] = []
    position = 0
    while position < len(starts):
        size = sizes[position % len(sizes)]
        begun = starts[position : position + size]
        part = follower.take(begun, [one + 1 for one in begun])
        position += size
        if part is not None:
            told += part["characters"]
            begins += part["character_start_times_seconds"]
    assert "".join(told) == text
    assert begins == [starts[begin] for begin, _ in script.spans]
