"""The library that every organisation has."""

from __future__ import annotations

from typing import get_args

import pytest

from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.catalogue.voice import Category
from libs.speech.engine import RenderJob, VoiceProfile
from libs.speech.languages import profile_for_language


def test_there_are_voices_of_every_category_and_all_differ() -> None:
    assert len(SYSTEM_VOICES) >= 20
    assert {voice.category for voice in SYSTEM_VOICES} == set(get_args(Category))
    assert {"en-US", "en-GB", "en-IN", "en-AU", "ru-RU"} <= {voice.language for voice in SYSTEM_VOICES}
    for kept in ({voice.id for voice in SYSTEM_VOICES}, {voice.name for voice in SYSTEM_VOICES}):
        assert len(kept) == len(SYSTEM_VOICES)
    assert len({voice.profile for voice in SYSTEM_VOICES}) == len(SYSTEM_VOICES)


def test_a_language_has_a_profile() -> None:
    assert profile_for_language("de-DE").language == "de-DE"


def test_a_profile_survives_the_way_through_json() -> None:
    for voice in SYSTEM_VOICES:
        assert VoiceProfile.from_settings(voice.profile.to_settings()) == voice.profile


@pytest.mark.parametrize("field", ["rate", "pitch", "pitch_range", "volume", "word_gap"])
def test_a_profile_out_of_range_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        VoiceProfile.from_settings({"engine_voice": "en", "language": "en-US", field: 100_000})


@pytest.mark.parametrize(
    ("field", "value"), [("speed", 9), ("speed", 0.2), ("pitch", 13), ("pitch", -13), ("volume", 2.1), ("volume", -1)]
)
def test_a_job_out_of_range_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        RenderJob("Hello", {}, **{field: value})  # type: ignore[arg-type]  # mypy takes it for any parameter
