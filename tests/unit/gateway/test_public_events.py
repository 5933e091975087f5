"""What clients see of events."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted, VoiceRejected
from libs.contracts.registry import all_events
from libs.ids import new_id
from services.gateway.domain.public_events import (
    FORMS,
    KEPT_INSIDE,
    TYPES,
    UnknownType,
    Wanted,
    public_event,
    types_named,
)

ID = new_id(datetime(2026, 3, 1, 12, 30, 0, 250_000, tzinfo=UTC))
SECRET = "no-client-may-see-this"


def filled(message: type[Message]) -> Message:
    """An event with something in each of its fields."""
    event = message()
    for field in event.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            continue
        value = {FieldDescriptor.TYPE_STRING: SECRET, FieldDescriptor.TYPE_DOUBLE: 1.5}.get(field.type, 7)
        if field.is_repeated:
            getattr(event, field.name).append(value)
        else:
            setattr(event, field.name, value)
    return event


def test_every_event_is_told_or_kept_inside_for_a_reason() -> None:
    assert {event.message for event in all_events()} == FORMS.keys() | KEPT_INSIDE.keys()
    assert not FORMS.keys() & KEPT_INSIDE.keys()
    assert all(KEPT_INSIDE.values())


@pytest.mark.parametrize("message", FORMS, ids=lambda message: message.__name__)
def test_neither_organisations_nor_objects_nor_texts_are_told(message: type[Message]) -> None:
    event = filled(message)
    for field in ("org_id", "object_key", "object_keys", "text", "engine_settings", "audio_id"):
        assert field not in FORMS[message].data(event)
    told = public_event(ID, event)
    assert told is not None
    assert set(orjson.loads(told.body())) == {"id", "type", "created_at", "data"}


def test_an_event_is_one_line_of_json() -> None:
    event = GenerationCompleted(generation_id="g", voice_name="two\nlines", characters=3, org_id="o", text="t")
    told = public_event(ID, event)
    assert told is not None
    body = told.body()
    assert b"\n" not in body
    assert orjson.loads(body) == {
        "id": str(ID),
        "type": "generation.completed",
        "created_at": "2026-03-01T12:30:00.250Z",
        "data": {
            "generation_id": "g",
            "voice_id": None,
            "voice_name": "two\nlines",
            "characters": 3,
            "duration_seconds": 0.0,
            "format": None,
            "size_bytes": 0,
            "model_id": None,
        },
    }


def test_lists_are_told_as_lists() -> None:
    told = public_event(ID, VoiceRejected(voice_id="v", reasons=["too short", "too loud"]))
    assert told is not None
    assert told.data == {"voice_id": "v", "reasons": ["too short", "too loud"]}


@pytest.mark.parametrize(
    ("patterns", "named"),
    [
        ([], TYPES),
        (["*"], TYPES),
        (["voice.ready"], {"voice.ready"}),
        (["voice"], {one for one in TYPES if one.startswith("voice.")}),
        (["voice.*", "generation.failed"], {one for one in TYPES if one.startswith("voice.")} | {"generation.failed"}),
    ],
)
def test_filters_name_types_and_families(patterns: list[str], named: set[str]) -> None:
    assert types_named(patterns, TYPES) == named


@pytest.mark.parametrize("pattern", ["", "voice.finished", "voi", "voice.ready.*", ".", "generation.begun"])
def test_a_filter_that_names_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(UnknownType, match="there is no event"):
        types_named([pattern], TYPES)


def test_what_an_event_is_about_is_compared_as_an_id() -> None:
    one, another = uuid4(), uuid4()
    wanted = Wanted(TYPES, generation_id=one)
    assert wanted.matches("generation.failed", {"generation_id": str(one)})
    assert not wanted.matches("generation.failed", {"generation_id": str(another)})
    assert not wanted.matches("voice.ready", {"voice_id": str(one)})
    event = public_event(ID, VoiceDeleted(voice_id=str(one)))
    assert event is not None
    assert Wanted(TYPES, voice_id=one).matches(event.type, event.data)
