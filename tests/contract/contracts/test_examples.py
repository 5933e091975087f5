"""What was released stays readable, and what is declared follows the conventions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson

from libs.contracts.registry import EventType, UndecodableEvent, UnknownEvent, all_events, decode

EXAMPLES = Path(__file__).resolve().parents[3] / "proto" / "examples"
RELEASES = sorted(EXAMPLES.iterdir(), key=lambda folder: int(folder.name))
BINARIES = sorted(EXAMPLES.glob("*/*.binpb"))
EVENTS = all_events()


@pytest.mark.parametrize("binary", BINARIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_of_a_release_still_means_the_same(binary: Path) -> None:
    event = decode(binary.stem, binary.read_bytes())
    readable = MessageToJson(event, preserving_proto_field_name=True, sort_keys=True) + "\n"
    assert readable == binary.with_suffix(".json").read_text()


def test_every_event_has_an_example_in_the_newest_release() -> None:
    kept = {path.stem for path in RELEASES[-1].glob("*.binpb")}
    assert {event.name for event in EVENTS} <= kept, "run `make contracts-release` and commit what it wrote"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_a_declaration_follows_the_conventions(event: EventType) -> None:
    package, name = event.name.rsplit(".", 1)
    _, service, version = package.split(".")
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    assert event.subject == f"evt.{service}.{snake}.{version}"
    fields = event.message.DESCRIPTOR.fields_by_name
    assert event.aggregate_field in fields
    assert "org_id" in fields
    assert any(field.endswith("_at") for field in fields), "an event says when it happened"


def test_unknown_fields_are_kept_and_unknown_types_are_told() -> None:
    newer = BINARIES[0].read_bytes() + b"\xfa\x3f\x03new"
    assert decode(BINARIES[0].stem, newer).SerializeToString().endswith(b"new")
    with pytest.raises(UnknownEvent):
        decode("antiphon.voice.v9.VoiceSang", b"")
    with pytest.raises(UndecodableEvent):
        decode(BINARIES[0].stem, b"\xff\xff")
