from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.ids import new_id
from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.engine import VoiceProfile
from libs.speech.languages import VOICE_OF_LANGUAGE
from services.storage.domain.keys import Audience, audience_of
from services.voice.domain import (
    DESCRIPTION_MAX_LENGTH,
    NAME_MAX_LENGTH,
    Category,
    NewVoice,
    Status,
    Variant,
    custom_voice,
    fingerprint,
    language_tag,
    object_key,
    plain_text,
    speaking_settings,
    system_voice,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_categories_are_the_twelve_and_read_well() -> None:
    labels = {category.value: category.label for category in Category}
    assert len(labels) == 12
    assert labels["AUDIOBOOK"] == "Audiobook"
    assert labels["CUSTOMER_SERVICE"] == "Customer Service"


@pytest.mark.parametrize(
    ("given_tag", "tag"),
    [
        ("en-us", "en-US"),
        ("EN", "en"),
        ("zh-hANS-cn", "zh-Hans-CN"),
        ("es-419", "es-419"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
    ],
)
def test_language_tags_are_written_as_usual(given_tag: str, tag: str) -> None:
    assert language_tag(given_tag) == tag


@pytest.mark.parametrize(
    "tag", ["", "e", "en_US", "en-", "-US", "en--US", "English (US)", "en-US\n", "en-\0", "1n", "én", "en-" + "a" * 40]
)
def test_what_is_no_language_tag_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="BCP 47"):
        language_tag(tag)


def test_every_language_of_the_engine_can_be_named() -> None:
    for tag in VOICE_OF_LANGUAGE:
        assert language_tag(tag).lower() == tag


def test_text_is_trimmed_and_composed() -> None:
    assert plain_text("  Cafe\u0301 \n") == "Café"


@pytest.mark.parametrize(("text", "reason"), [("a\0", "NUL character at position 1"), ("ab\ud800", "at position 2")])
def test_text_that_cannot_be_stored_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        plain_text(text)


@given(st.text())
def test_trimming_twice_changes_nothing_more(text: str) -> None:
    if "\0" not in text:
        once = plain_text(text)
        assert plain_text(once) == once


def test_a_custom_voice_belongs_to_its_organisation() -> None:
    voice_id, org_id = new_id(), new_id()
    profile = VoiceProfile("gmw/en", "en-GB")
    voice = custom_voice(
        NewVoice("CEO", None, Category.CORPORATE, "en-GB"),
        voice_id=voice_id,
        org_id=org_id,
        first_key="voices/orgs/x",
        sample_count=1,
        engine="espeak-ng",
        engine_settings=profile.to_settings(),
        now=NOW,
    )
    assert (voice.variant, voice.status, voice.org_id, voice.revision) == (Variant.CUSTOM, Status.PROCESSING, org_id, 1)
    assert (voice.object_key, voice.sample_count, voice.is_examined) == ("voices/orgs/x", 1, False)
    assert VoiceProfile.from_settings(voice.engine_settings) == profile


def test_every_entry_of_the_catalogue_makes_a_voice_that_the_library_takes() -> None:
    voices = [system_voice(entry, engine="espeak-ng", now=NOW) for entry in SYSTEM_VOICES]
    assert {voice.category for voice in voices} == set(Category)
    for voice in voices:
        assert 1 <= len(voice.name) <= NAME_MAX_LENGTH
        assert 1 <= len(voice.description or "") <= DESCRIPTION_MAX_LENGTH
        assert language_tag(voice.language) == voice.language
        assert (voice.org_id, voice.variant, voice.object_key) == (None, Variant.SYSTEM, f"voices/system/{voice.id}")


def test_a_fingerprint_changes_with_whatever_is_heard_or_read() -> None:
    entry = SYSTEM_VOICES[0]
    variants = [
        entry,
        replace(entry, description="Other."),
        replace(entry, category="PODCAST"),
        replace(entry, preview_text="Other."),
        replace(entry, profile=replace(entry.profile, pitch=51)),
        replace(entry, profile=replace(entry.profile, language="en-CA")),
    ]
    assert len({fingerprint(variant) for variant in variants}) == len(variants)
    assert fingerprint(replace(entry)) == fingerprint(entry)


def test_object_keys_say_whose_the_object_is() -> None:
    voice_id, org_id = UUID(int=1), UUID(int=2)
    assert object_key(voice_id, None) == f"voices/system/{voice_id}"
    key = object_key(voice_id, org_id, UUID(int=3))
    assert key == f"voices/orgs/{org_id}/{voice_id}/{UUID(int=3)}"
    assert audience_of(key, org_id) is Audience.ORGANIZATION
    assert audience_of(key, UUID(int=4)) is None


@pytest.mark.parametrize(
    ("known", "changes", "settings"),
    [
        ({}, {}, {}),
        ({}, {"speed": 2.0}, {"speed": 2.0}),
        ({"speed": 2.0, "pitch": -3.0}, {"pitch": 0.0}, {"speed": 2.0}),
        ({"speed": 2.0, "pitch": -3.0}, {"speed": None}, {"pitch": -3.0}),
        ({"volume": 0.5}, {"speed": 1.0, "pitch": 0.0, "volume": 1.0}, {}),
    ],
)
def test_settings_are_kept_where_they_are_not_as_usual(
    known: dict[str, float], changes: dict[str, float | None], settings: dict[str, float]
) -> None:
    assert speaking_settings(known, changes) == settings
