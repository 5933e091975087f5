"""Encoded examples of every event, kept with each release: what today's code must still read tomorrow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from google._upb._message import FieldDescriptor as UpbFieldDescriptor
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from libs.contracts.registry import all_events

_ID = "0197f3a0-0000-7000-8000-00000000000"
_AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
_TEXT = "Grüße, 世界 👋"


def write_examples(folder: Path) -> list[Path]:
    """Write `<full name>.binpb` and, for people and tests, `<full name>.json` for every declared event."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for event in all_events():
        example = event.message()
        _fill(example)
        binary, readable = folder / f"{event.name}.binpb", folder / f"{event.name}.json"
        binary.write_bytes(example.SerializeToString(deterministic=True))
        readable.write_text(MessageToJson(example, preserving_proto_field_name=True, sort_keys=True) + "\n")
        written += [binary, readable]
    return written


def _fill(message: Message) -> None:
    """Give every field a value of its own, so that a field that is lost or renumbered shows."""
    for field in message.DESCRIPTOR.fields:
        target = getattr(message, field.name)
        if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
            target.FromDatetime(_AT)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            target[_TEXT] = _value(field.message_type.fields_by_name["value"])
        elif field.message_type is not None:
            _fill(target)
        elif field.is_repeated:
            target.extend([_value(field), _value(field)])
        else:
            setattr(message, field.name, _value(field))


def _value(field: FieldDescriptor | UpbFieldDescriptor) -> str | int | float | bool:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return f"{_ID}{field.number % 10}" if field.name.endswith("_id") else f"{_TEXT} {field.number}"
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return True
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return field.number + 0.25
    return 1000 + field.number
