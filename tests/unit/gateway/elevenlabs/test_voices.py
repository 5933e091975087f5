from __future__ import annotations

from typing import Any

import pytest

from services.gateway.domain.elevenlabs.voices import Search, changes_of, labels_of, select, voice_view
from services.gateway.domain.failures import InvalidField

CATEGORIES = ("AUDIOBOOK", "CUSTOMER_SERVICE")


def _voice(number: int, name: str, variant: str = "SYSTEM", language: str = "en-US") -> dict[str, Any]:  # Any: JSON
    return {
        "id": f"id-{number}",
        "name": name,
        "variant": variant,
        "language": language,
        "category": "GENERAL",
        "description": None,
        "engine": "espeak-ng",
        "settings": {"speed": 1.1, "pitch": 0.0, "volume": 1.0},
        "preview_url": f"/v1/voices/id-{number}/audio",
        "created_at": f"2026-01-0{number}T00:00:00.123456Z",
    }


VOICES = [
    _voice(1, "beta"),
    _voice(2, "Alpha", "CUSTOM", "de-DE"),
    _voice(3, "Gamma", language="en-GB"),
    _voice(4, "alpha", "CUSTOM", "end"),
]


def _names(search: Search) -> list[str]:
    return [voice["name"] for voice in select(VOICES, search).voices]


def test_they_are_sorted_either_way() -> None:
    assert _names(Search()) == ["alpha", "Gamma", "Alpha", "beta"]
    assert _names(Search(descending=False)) == ["beta", "Alpha", "Gamma", "alpha"]
    assert _names(Search(sort="name", descending=False)) == ["Alpha", "alpha", "beta", "Gamma"]


def test_pages_have_every_voice_once_though_one_is_deleted_between_them() -> None:
    first = select(VOICES, Search(sort="name", descending=False, page_size=2))
    assert (first.total, [one["name"] for one in first.voices]) == (4, ["Alpha", "alpha"])
    left = [one for one in VOICES if one["name"] != "alpha"]
    rest = select(left, Search(sort="name", descending=False, page_size=2, token=first.next_page_token))
    assert ([one["name"] for one in rest.voices], rest.next_page_token) == (["beta", "Gamma"], None)


@pytest.mark.parametrize("token", ["x", "W10", "WzEsMl0", "é", "A" * 7])
def test_a_token_that_is_none_is_named(token: str) -> None:
    with pytest.raises(InvalidField, match="next_page_token"):
        select(VOICES, Search(token=token))


@pytest.mark.parametrize(
    ("search", "names"),
    [
        (Search(category="cloned"), ["alpha", "Alpha"]),
        (Search(category="premade"), ["Gamma", "beta"]),
        (Search(category="professional"), []),
        (Search(voice_type="personal"), ["alpha", "Alpha"]),
        (Search(voice_type="default"), ["Gamma", "beta"]),
        (Search(languages=["en"]), ["Gamma", "beta"]),
        (Search(languages=["EN-gb", "de"]), ["Gamma", "Alpha"]),
        (Search(voice_ids=["id-1", "id-9"]), ["beta"]),
    ],
)
def test_they_are_filtered(search: Search, names: list[str]) -> None:
    assert _names(search) == names


def test_a_voice_in_their_words() -> None:
    view = voice_view(VOICES[1], "http://antiphon")
    assert view["category"] == "cloned"
    assert view["labels"] == {"language": "de", "locale": "de-DE", "use_case": "general"}
    assert view["preview_url"] == "http://antiphon/v1/voices/id-2/audio"
    assert view["settings"]["speed"] == 1.1
    assert view["created_at_unix"] == 1_767_312_000


@pytest.mark.parametrize("text", [None, "", "null", " null ", "{}"])
def test_labels_that_were_left_out_are_none(text: str | None) -> None:
    assert labels_of(text) == {}


@pytest.mark.parametrize("text", ["[", "[]", '"a"', '{"language": 1}', "{'a': 'b'}"])
def test_labels_that_are_no_object_of_texts_are_named(text: str) -> None:
    with pytest.raises(InvalidField, match="labels"):
        labels_of(text)


def test_what_labels_change() -> None:
    assert changes_of({"language": "de", "mood": "calm"}, CATEGORIES) == ({"language": "de"}, ["labels.mood"])
    assert changes_of({"language": "en", "locale": "en-GB"}, CATEGORIES) == ({"language": "en-GB"}, ["labels.language"])
    assert changes_of({"use_case": "Customer service"}, CATEGORIES) == ({"category": "CUSTOMER_SERVICE"}, [])
    assert changes_of({"use_case": "spelling", "a\r\n": "b"}, CATEGORIES) == ({}, ["labels", "labels.use_case"])
