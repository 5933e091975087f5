"""What newer builds send is understood as far as it can be, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from nats.aio.client import Client
from nats.aio.msg import Msg

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceReady, VoiceSnapshot
from libs.contracts.registry import EventType, UndecodableEvent, UnknownEvent, all_events, decode
from libs.ids import new_id
from libs.messaging.envelope import open_envelope
from libs.messaging.policy import Verdict, judge

PROTO = Path(__file__).resolve().parents[3] / "proto"
RELEASES = sorted(PROTO.glob("released/*.binpb"), key=lambda image: int(image.stem))
# Field 4091, a string: numbers this high are nobody's yet.
NEWER_FIELD = b"\xda\xff\x01\x03new"


def message(type_name: str, payload: bytes, **headers: str) -> Msg:
    ids = {"ce-id": str(new_id()), "ce-orgid": str(new_id())}
    return Msg(
        Client(), subject="evt.voice.anything.v1", data=payload, headers={"ce-type": type_name, **ids, **headers}
    )


def events_of(image: Path) -> set[str]:
    """The events that a release declares: of all messages only they have options."""
    files = FileDescriptorSet.FromString(image.read_bytes()).file
    return {
        f"{file.package}.{declared.name}"
        for file in files
        for declared in file.message_type
        if declared.options.ByteSize()
    }


@pytest.mark.parametrize("image", RELEASES, ids=lambda image: image.stem)
def test_every_event_of_every_release_has_an_example_and_is_still_declared(image: Path) -> None:
    released = events_of(image)
    assert released
    examples = {path.stem for path in (PROTO / "examples" / image.stem).glob("*.binpb")}
    assert examples == released
    assert released <= {event.name for event in all_events()}


def test_no_examples_are_kept_of_what_was_never_released() -> None:
    assert {folder.name for folder in (PROTO / "examples").iterdir()} == {image.stem for image in RELEASES}


@pytest.mark.parametrize("event", all_events(), ids=lambda event: event.name)
def test_a_field_of_a_newer_build_is_kept(event: EventType) -> None:
    received = open_envelope(message(event.name, NEWER_FIELD))
    assert received.event.SerializeToString() == NEWER_FIELD


def test_a_newer_field_inside_a_message_is_kept_too() -> None:
    snapshot = VoiceSnapshot.FromString(VoiceSnapshot(name="Aaron").SerializeToString() + NEWER_FIELD)
    ready = VoiceReady(voice_id="v", voice=snapshot).SerializeToString()
    again = decode("antiphon.voice.v1.VoiceReady", ready).SerializeToString()
    assert again == ready
    assert NEWER_FIELD in again


def test_headers_of_a_newer_build_do_not_matter() -> None:
    received = open_envelope(message(VoiceReady.DESCRIPTOR.full_name, b"", **{"ce-newer": "1", "Antiphon-Newer": "2"}))
    assert received.headers["ce-newer"] == "1"


@pytest.mark.parametrize(
    ("type_name", "payload", "expected"),
    [
        ("antiphon.voice.v9.VoiceSang", b"", UnknownEvent),
        ("antiphon.voice.v1.VoiceSnapshot", b"", UnknownEvent),
        ("antiphon.voice.v1.VoiceReady", b"\xff\xff", UndecodableEvent),
        ("", b"", UndecodableEvent),
    ],
)
def test_what_this_build_cannot_read_is_put_aside_at_once(
    type_name: str, payload: bytes, expected: type[Exception]
) -> None:
    with pytest.raises(expected) as caught:
        open_envelope(message(type_name, payload))
    assert judge(caught.value) is Verdict.PERMANENT
