"""Decisions about generations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from libs.ids import new_id
from services.generation import domain

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def generation(status: domain.Status = "completed") -> domain.Generation:
    return domain.Generation(
        id=new_id(),
        org_id=new_id(),
        voice_id=new_id(),
        voice_name="Aaron",
        text="Hello",
        characters=5,
        temperature=0.8,
        top_p=0.95,
        top_k=1000,
        repetition_penalty=1.2,
        speed=1.0,
        format="mp3",
        model_id="espeak-ng",
        applied={"speed": 1.0},
        status=status,
        error_code=None,
        error=None,
        object_key=None,
        duration_seconds=None,
        request_hash=None,
        created_at=NOW,
        updated_at=NOW,
    )


def request() -> domain.Request:
    return domain.Request("Hello", uuid4(), 0.8, 0.95, 1000, 1.2, 1.0, "mp3")


def test_equal_requests_have_one_fingerprint_and_any_change_another() -> None:
    first = request()
    assert first.fingerprint() == replace(first).fingerprint()
    changes: list[dict[str, object]] = [
        {"text": "Hello!"},
        {"voice_id": uuid4()},
        {"temperature": 0.9},
        {"top_k": 10},
        {"speed": 1.5},
        {"format": "wav"},
    ]
    for change in changes:
        assert replace(first, **change).fingerprint() != first.fingerprint()  # type: ignore[arg-type]


def test_audio_is_there_only_when_completed() -> None:
    completed = generation()
    assert domain.audio_of(completed) is completed
    for status in ("pending", "processing"):
        with pytest.raises(domain.GenerationUnfinished):
            domain.audio_of(generation(status))
    with pytest.raises(domain.GenerationFailedError):
        domain.audio_of(generation("failed"))


def test_parameters_that_the_engine_ignored_are_named() -> None:
    assert generation().ignored_parameters == ["temperature", "top_p", "top_k", "repetition_penalty"]


def test_only_a_brand_new_voice_is_waited_for() -> None:
    now = datetime.now(UTC)
    assert domain.may_be_on_its_way(new_id(), now)
    assert not domain.may_be_on_its_way(new_id(), now + timedelta(minutes=5))
    assert not domain.may_be_on_its_way(uuid4(), now)


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0),
        ("wait=5", 5),
        ("respond-async, wait=10", 10),
        ("WAIT = 7", 7),
        ("wait=9999", 60),
        ("wait=-1", 0),
        ("await=5", 0),
        ("handling=lenient", 0),
    ],
)
def test_prefer_wait_is_read_as_rfc_7240_writes_it(prefer: str | None, seconds: int) -> None:
    assert domain.wait_seconds(prefer) == seconds
