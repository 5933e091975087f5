"""Whether what lies in the object store is what was announced."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.ids import new_id
from services.storage.domain.audio import AudioRefused, RenderedAudio, Track, require_keepable, verify_upload

ORG, GENERATION = new_id(), new_id()
AUDIO = RenderedAudio(
    generation_id=GENERATION,
    org_id=ORG,
    object_key=f"generations/orgs/{ORG}/{GENERATION}/abc.mp3",
    text="Hi",
    duration_seconds=1.0,
    format="mp3",
    content_type="audio/mpeg",
    size_bytes=100,
    sha256="ab" * 32,
    sample_rate=22050,
    start_times=[0.0, 0.5],
    end_times=[0.5, 1.0],
    model_id="espeak",
)


def test_what_was_announced_is_kept() -> None:
    require_keepable(AUDIO)
    verify_upload(AUDIO, "ab" * 32, 100)


def test_another_size_or_content_is_refused_with_the_reason() -> None:
    with pytest.raises(AudioRefused, match="99 bytes in the object store and not 100"):
        verify_upload(AUDIO, "ab" * 32, 99)
    with pytest.raises(AudioRefused, match="SHA-256"):
        verify_upload(AUDIO, "cd" * 32, 100)


def test_a_foreign_object_or_an_unstorable_text_is_refused() -> None:
    with pytest.raises(AudioRefused, match="not one of the organisation's"):
        require_keepable(replace(AUDIO, object_key=f"generations/orgs/{new_id()}/x/abc.mp3"))
    with pytest.raises(AudioRefused, match="NUL"):
        require_keepable(replace(AUDIO, text="a\0"))


def test_a_track_is_named_by_its_content() -> None:
    at = datetime(2026, 11, 21, 12, 0, 0, 999, tzinfo=UTC)
    track = Track(GENERATION, "key", "wav", "audio/wav", 100, "ab" * 32, at)
    assert track.representation.etag == f'"{"ab" * 32}"'
    assert track.representation.modified.microsecond == 0
    assert track.filename == f"generation-{GENERATION}.wav"
