"""What decides how a text sounds, in which pieces it is spoken, and what is heard of it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import pytest

from libs.speech.text.dictionary import Lexicon, Rule
from libs.speech.text.reading import NOTHING, Reading
from services.generation.domain import speech
from services.generation.domain.errors import InvalidMarkup
from services.generation.domain.requests import DictionaryVersion, Request, Voice
from services.generation.domain.speech import Script, Spec, chunk_key, heard, spec_of

SPEC = Spec(engine="espeak-ng", voice={"engine_voice": "en-us"}, language="en-US", output="wav_22050")
CHANGES: dict[str, Any] = {  # Any: a value for each field
    "engine": "piper",
    "engine_version": "1.52.0",
    "voice": {"engine_voice": "en-gb"},
    "language": "en-GB",
    "output": "wav_16000",
    "speed": 1.5,
    "pitch": 2.0,
    "volume": 0.5,
    "seed": 7,
    "input_type": "ssml",
    "dictionaries": [["d", 1]],
    "sampling": {"temperature": 0.5},
}


def test_every_field_of_a_spec_has_a_change_to_try() -> None:
    assert set(CHANGES) == {field.name for field in fields(Spec)}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_whatever_a_request_says_of_the_sound_is_in_its_fingerprint(name: str) -> None:
    changed = replace(SPEC, **{name: CHANGES[name]})
    assert changed.fingerprint("Hello") != SPEC.fingerprint("Hello")
    assert Spec.from_json(changed.to_json()) == changed


def test_equal_requests_have_equal_fingerprints_and_other_texts_others() -> None:
    assert replace(SPEC).fingerprint("Hello") == SPEC.fingerprint("Hello")
    assert SPEC.fingerprint("Hello") != SPEC.fingerprint("Hello ")
    turned = replace(SPEC, voice={"b": 1, "a": 2})
    assert turned.fingerprint("Hello") == replace(SPEC, voice={"a": 2, "b": 1}).fingerprint("Hello")


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_piece_is_kept_by_what_decides_its_sound_and_by_nothing_else(name: str) -> None:
    changed = replace(SPEC, **{name: CHANGES[name]})
    # What language and dictionaries made of a piece is in what is read.
    is_in_the_reading = name in ("language", "dictionaries")
    assert (changed.cache_key("Hello") == SPEC.cache_key("Hello")) is is_in_the_reading
    assert SPEC.cache_key("Hello") != SPEC.cache_key("hello")


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        ("wav_22050", "flac_22050", True),
        ("wav_22050", "pcm_22050", True),
        ("opus_48000_64", "ogg_48000_64", True),
        ("ulaw_8000", "pcm_8000", True),
        ("wav_22050", "wav_24000", False),
        ("mp3_22050_64", "wav_22050", False),
        ("mp3_22050_64", "mp3_22050_32", False),
        ("opus_48000_64", "pcm_48000", False),
    ],
)
def test_formats_share_pieces_if_they_are_kept_alike(one: str, other: str, *, is_shared: bool) -> None:
    keys = {replace(SPEC, output=output).cache_key("Hello") for output in (one, other)}
    assert (len(keys) == 1) is is_shared
    assert len({replace(SPEC, output=output).fingerprint("Hello") for output in (one, other)}) == 2


def request(**changes: Any) -> Request:  # Any: its fields
    return replace(Request("Hello", UUID(int=7), format="wav_22050"), **changes)


def voice(**settings: float) -> Voice:
    return Voice(UUID(int=7), None, "Aaron", "en-US", "espeak-ng", {"engine_voice": "en-us"}, settings)


def spec(wanted: Request, spoken_by: Voice, honours: frozenset[str] = frozenset()) -> Spec:
    return spec_of(wanted, spoken_by, "en-US", engine_version="1", honours=honours)


def test_what_a_request_leaves_open_is_as_the_voice_has_it() -> None:
    assert (spec(request(), voice()).speed, spec(request(), voice()).pitch, spec(request(), voice()).volume) == (
        1,
        0,
        1,
    )
    own = spec(request(), voice(speed=1.5, pitch=-2.0, volume=0.5))
    assert (own.speed, own.pitch, own.volume) == (1.5, -2.0, 0.5)
    said = spec(request(speed=1.0, pitch=0.0, volume=0.0), voice(speed=1.5, pitch=-2.0, volume=0.5))
    assert (said.speed, said.pitch, said.volume) == (1.0, 0.0, 0.0)


def test_sampling_counts_only_where_the_engine_honours_it() -> None:
    warm, cold = request(temperature=1.0), request(temperature=0.1)
    assert spec(warm, voice()) == spec(cold, voice())
    honours = frozenset({"temperature", "speed"})
    assert spec(warm, voice(), honours).sampling == {"temperature": 1.0}
    assert spec(warm, voice(), honours) != spec(cold, voice(), honours)


def test_what_changes_no_sound_changes_no_spec() -> None:
    plain = spec(request(), voice())
    assert spec(request(mode="job", use_cache=False), voice()) == plain
    assert spec(request(), replace(voice(), name="Other", id=UUID(int=8))) == plain
    dictionaries = (DictionaryVersion(UUID(int=1), 2),)
    assert spec(request(dictionaries=dictionaries), voice()).dictionaries == [[str(UUID(int=1)), 2]]


TEXT = "The first sentence. " + " ".join(f"This is sentence number {number} of the text." for number in range(60))


def test_pieces_of_plain_text_follow_each_other_and_are_read_as_they_are() -> None:
    pieces = Script(TEXT, "text", None, "en-US").pieces()
    assert len(pieces) > 3
    assert "".join(piece.reading.text for piece in pieces) == TEXT
    assert [piece.first for piece in pieces] == [
        sum(before.characters for before in pieces[:index]) for index in range(len(pieces))
    ]
    whole = Script(TEXT, "text", None, "en-US").whole()
    assert (whole.first, whole.characters, whole.reading.text) == (0, len(TEXT), TEXT)


def test_an_edit_changes_one_piece() -> None:
    previous = [piece.reading.text for piece in Script(TEXT, "text", None, "en-US").pieces()]
    edited = TEXT.replace("number 30 ", "number thirty ")
    now = [piece.reading.text for piece in Script(edited, "text", None, "en-US").pieces(previous)]
    assert "".join(now) == edited
    assert [text for text in now if text not in previous] == [text for text in now if "thirty" in text]


def test_a_dictionary_respells_and_origins_lead_back() -> None:
    lexicon = Lexicon([Rule("alias", "SQL", "sequel")], language="en-US")
    piece = Script("An SQL text.", "text", lexicon, "en-US").whole()
    assert piece.reading.text == "An sequel text."
    assert piece.characters == len("An SQL text.")
    assert [piece.reading.origins[index] for index in (0, 3, 8, 10)] == [0, 3, 5, 7]


SSML = "<speak>Hello <break time='1s'/>there. " + " ".join(f"Sentence {n} &amp; more." for n in range(80)) + "</speak>"


def test_pieces_of_markup_cover_the_text_as_it_was_sent() -> None:
    script = Script(SSML, "ssml", None, "en-US")
    assert script.plain.startswith("Hello there.")
    assert "&amp;" not in script.plain
    pieces = script.pieces()
    assert len(pieces) > 2
    assert pieces[0].first == 0
    assert sum(piece.characters for piece in pieces) == len(SSML)
    for piece in pieces:
        sent = SSML[piece.first : piece.first + piece.characters]
        told = [origin for origin in piece.reading.origins if origin != NOTHING]
        assert told == sorted(told)
        assert 0 <= told[0] <= told[-1] < piece.characters
        spoken, places = heard(piece.reading, sent, is_markup=True)
        assert "<" not in spoken
        assert "&amp;" not in spoken
        assert len(places) == len(spoken)
    together = "".join(
        heard(piece.reading, SSML[piece.first : piece.first + piece.characters], is_markup=True)[0] for piece in pieces
    )
    assert together == script.plain


def test_markup_that_is_none_says_where() -> None:
    with pytest.raises(InvalidMarkup) as refusal:
        Script("<speak>\n<nonsense></speak>", "ssml", None, "en-US")
    assert refusal.value.flaws[0].line == 2


@pytest.mark.parametrize(
    ("reading", "sent", "is_markup", "spoken", "places"),
    [
        (Reading.plain("Hello"), "Hello", False, "Hello", [0, 1, 2, 3, 4]),
        (Reading("a &amp; b", [0, 1, 2, 2, 2, 2, 2, 3, 4]), "a & b", True, "a & b", [0, 1, 2, 7, 8]),
        (Reading("a &amp; b", range(9)), "a &amp; b", False, "a &amp; b", list(range(9))),
        (Reading("<b/>hi", [-1, -1, -1, -1, 0, 1]), "hi", True, "hi", [4, 5]),
        (Reading("[[t@]] x", [0, 0, 1, 1, 1, 1, 2, 3]), "to x", False, "to x", [0, 3, 6, 7]),
        (Reading("", []), "", False, "", []),
    ],
    ids=["plain", "reference", "no reference in plain text", "markup", "phonemes", "nothing"],
)
def test_what_is_heard_is_neither_markup_nor_phonemes(
    reading: Reading, sent: str, spoken: str, places: list[int], *, is_markup: bool
) -> None:
    assert heard(reading, sent, is_markup=is_markup) == (spoken, places)


def test_keys_say_whose_an_object_is() -> None:
    org, made = UUID(int=1), UUID(int=2)
    assert speech.object_key(org, UUID(int=3), made, "mp3").startswith(f"generations/orgs/{org}/{UUID(int=3)}/")
    assert chunk_key(org, "k" * 64, made).startswith(f"generations/orgs/{org}/chunks/")
    assert chunk_key(org, "k" * 64, made) != chunk_key(org, "k" * 64, UUID(int=9))
