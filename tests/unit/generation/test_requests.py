"""What clients ask for, and what may become of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.ids import new_id
from services.generation.domain import errors, requests

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def generation(status: requests.Status = "completed", **changes: Any) -> requests.Generation:  # Any: its fields
    made = requests.Generation(
        id=new_id(),
        org_id=new_id(),
        key_id=new_id(),
        user_id=None,
        voice_id=new_id(),
        voice_name="Aaron",
        text="Hello",
        characters=5,
        temperature=0.8,
        top_p=0.95,
        top_k=1000,
        repetition_penalty=1.2,
        speed=1.0,
        pitch=0.0,
        volume=1.0,
        seed=None,
        format="mp3_22050_64",
        mode="interactive",
        input_type="text",
        language="en-US",
        use_cache=True,
        dictionaries=[],
        model_id="espeak-ng",
        model_voice=None,
        applied={"speed": 1.0, "pitch": 0.0, "volume": 1.0},
        status=status,
        error_code=None,
        error=None,
        duration_seconds=None,
        characters_spoken=None,
        rendition_id=new_id(),
        revised_from=None,
        chunks_total=None,
        chunks_done=None,
        tries=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **changes)


VOICE = UUID(int=7)
CHANGES: dict[str, Any] = {  # Any: a value for each field of a request
    "text": "Hello!",
    "voice_id": UUID(int=8),
    "temperature": 0.9,
    "top_p": 0.5,
    "top_k": 10,
    "repetition_penalty": 1.5,
    "speed": 1.5,
    "format": "wav_22050",
    "pitch": 2.0,
    "volume": 0.5,
    "seed": 7,
    "mode": "job",
    "input_type": "ssml",
    "language": "de-DE",
    "dictionaries": (requests.DictionaryVersion(UUID(int=1), 1),),
    "use_cache": False,
    "model_id": "piper",
    "model_voice": "amy",
}


def test_every_field_of_a_request_has_a_change_to_try() -> None:
    assert set(CHANGES) == set(requests.Request.__slots__)


def test_a_request_counts_code_points() -> None:
    assert requests.Request("a\N{COMBINING ACUTE ACCENT}\N{GRINNING FACE}", VOICE).characters == 3


def test_what_was_asked_can_be_asked_again() -> None:
    asked = requests.Request(
        **(CHANGES | {"speed": 1.5, "dictionaries": (requests.DictionaryVersion(UUID(int=1), 4),)})
    )
    fields = {
        name: getattr(asked, name) for name in requests.Request.__slots__ if name not in ("dictionaries", "model_id")
    }
    kept = generation(**fields, dictionaries=[{"id": str(UUID(int=1)), "version": 4}], model_id="piper")
    assert kept.wanted_again() == asked


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("pending", errors.GenerationUnfinished),
        ("processing", errors.GenerationUnfinished),
        ("failed", errors.GenerationFailedError),
        ("canceled", errors.GenerationFailedError),
    ],
)
def test_audio_is_there_only_when_completed(status: requests.Status, error: type[Exception]) -> None:
    with pytest.raises(error):
        requests.audio_of(generation(status))


def test_the_audio_of_what_is_completed_is_its_renditions() -> None:
    completed = generation()
    assert requests.audio_of(completed) == completed.rendition_id
    # Its audio is let go only when it was kept for long enough.
    with pytest.raises(errors.AudioExpired):
        requests.audio_of(replace(completed, rendition_id=None))


def test_a_failure_says_why() -> None:
    with pytest.raises(errors.GenerationFailedError, match="it is silent") as failure:
        requests.audio_of(generation("failed", error_code="text_not_speakable", error="it is silent"))
    assert failure.value.code == "text_not_speakable"


STATUSES: tuple[requests.Status, ...] = ("pending", "processing", "completed", "failed", "canceled")


@pytest.mark.parametrize("status", STATUSES)
def test_what_is_finished_can_only_be_tried_again_and_the_rest_only_be_canceled(status: requests.Status) -> None:
    for require, allowed in (
        (requests.require_cancelable, ("pending", "processing")),
        (requests.require_repeatable, ("failed", "canceled")),
    ):
        if status in allowed:
            require(status)
        else:
            with pytest.raises(errors.WrongState, match=f"it is {status}"):
                require(status)
    assert generation(status).is_finished is (status in ("completed", "failed", "canceled"))


def test_parameters_that_the_engine_ignored_are_named() -> None:
    sampling = ["temperature", "top_p", "top_k", "repetition_penalty"]
    assert generation().ignored_parameters == sampling
    assert generation(seed=3).ignored_parameters == [*sampling, "seed"]


@pytest.mark.parametrize(("spoken", "cached"), [(None, None), (0, 5), (3, 2), (5, 0)])
def test_what_was_not_spoken_was_there(spoken: int | None, cached: int | None) -> None:
    assert generation(characters_spoken=spoken).characters_cached == cached


def test_only_a_brand_new_voice_is_waited_for() -> None:
    now = datetime.now(UTC)
    assert requests.may_be_on_its_way(new_id(), now)
    assert not requests.may_be_on_its_way(new_id(), now + timedelta(minutes=5))
    assert not requests.may_be_on_its_way(new_id(), now - timedelta(minutes=5))
    assert not requests.may_be_on_its_way(uuid4(), now)


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
    assert requests.wait_seconds(prefer) == seconds


def test_a_refused_quota_says_what_is_left_and_until_when() -> None:
    refused = errors.QuotaExceeded(asked=12, limit=10, remaining=3, resets_at=NOW)
    assert refused.explanation.startswith("The text has 12 characters; 3 of 10 are left until 2026-01-01T00:00:00")
