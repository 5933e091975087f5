"""docs/events.md: who emits which event, who reacts to it and how, and what is in it.

The words are those of the .proto files' comments and of the handlers' docstrings; nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from deploy.init import all_consumers
from libs.contracts.registry import EventType, all_events
from libs.messaging import Consumers, Projection, Work

HEADING = """\
# Events

Written by `make contracts` from `proto/` and the handlers' declarations; `make contracts-check` says when it is stale.

On the wire an event is protobuf, with the CloudEvents attributes as NATS headers. The events of a service lie in one
stream, in their order, for seven days, and in its outbox archive. To add one: declare it in `proto/`, emit it with
`outbox.add`, react to it with `@projection` or `@work`.
"""
_MESSAGE_FIELD = 4
_FIELD = 2
_SCALARS = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}


def event_docs(image: Path) -> str:
    """Return the page; `image` is what `buf build` wrote of `proto/`, comments included."""
    files = FileDescriptorSet.FromString(image.read_bytes()).file
    messages = {message.name: message for file in files for message in _messages(file)}
    consumers = all_consumers()
    events = all_events()
    sections = [HEADING, _overview(events, consumers)]
    for service in dict.fromkeys(event.service for event in events):
        of_service = [event for event in events if event.service == service]
        sections.append(f"## {service}: stream `{of_service[0].stream}`\n")
        sections += [_event(event, messages[event.name], consumers) for event in of_service]
    sections.append("## Inside events\n")
    sections += [messages[name].section("###") for name in sorted(_inside(events, messages))]
    return "\n".join(sections)


class _Message:
    """A message type with the comments on it and its fields."""

    def __init__(self, file: FileDescriptorProto, index: int, declared: DescriptorProto) -> None:
        comments = {
            tuple(place.path): " ".join(place.leading_comments.split()) for place in file.source_code_info.location
        }
        path = (_MESSAGE_FIELD, index)
        self.name = f"{file.package}.{declared.name}"
        self.comment = comments.get(path, "")
        self.fields = [
            (field, comments.get((*path, _FIELD, number), "")) for number, field in enumerate(declared.field)
        ]

    def uses(self) -> list[str]:
        return [field.type_name.removeprefix(".") for field, _ in self.fields if field.type_name]

    def section(self, mark: str) -> str:
        return f"{mark} {self.name.rpartition('.')[2]}\n\n{self.comment}\n\n{self.table()}"

    def table(self) -> str:
        rows = [
            f"| {field.number} | `{field.name}` | {_type(field)} | {comment} |"
            for field, comment in sorted(self.fields, key=lambda one: one[0].number)
        ]
        return "\n".join(["| no. | field | type | |", "|---|---|---|---|", *rows, ""])


def _messages(file: FileDescriptorProto) -> Iterator[_Message]:
    for index, declared in enumerate(file.message_type):
        yield _Message(file, index, declared)


def _type(field: FieldDescriptorProto) -> str:
    name = _SCALARS.get(field.type) or field.type_name.rpartition(".")[2]
    return f"repeated {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


def _inside(events: Sequence[EventType], messages: dict[str, _Message]) -> set[str]:
    """The messages of ours that events hold and that are no events."""
    wanted = [event.name for event in events]
    found: set[str] = set()
    while wanted:
        for name in messages[wanted.pop()].uses():
            if name in messages and name.startswith("antiphon.") and name not in found:
                found.add(name)
                wanted.append(name)
    return found - {event.name for event in events}


def _overview(events: Sequence[EventType], consumers: Sequence[Consumers]) -> str:
    rows = [
        f"| [{_short(event)}](#{_short(event).lower()}) | {event.service} | "
        f"{', '.join(dict.fromkeys(group for group, *_ in _reactions(event, consumers))) or '–'} |"
        for event in events
    ]
    return "\n".join(["| event | emitted by | reacted to by |", "|---|---|---|", *rows, ""])


def _event(event: EventType, message: _Message, consumers: Sequence[Consumers]) -> str:
    reactions = [f"- {group}, {kind} `{name}`: {said}" for group, kind, name, said in _reactions(event, consumers)] or [
        "- Nobody reacts to it."
    ]
    return "\n".join(
        [
            f"### {_short(event)}",
            "",
            message.comment,
            "",
            f"Subject `{event.subject}`; in order for each `{event.aggregate_field}`.",
            "",
            *reactions,
            "",
            message.table(),
        ]
    )


def _short(event: EventType) -> str:
    return event.name.rpartition(".")[2]


def _reactions(event: EventType, consumers: Sequence[Consumers]) -> Iterator[tuple[str, str, str, str]]:
    """(group, kind, handler, what it does) for each handler of the event."""
    for group in consumers:
        declared: list[tuple[str, Projection | Work]] = [("projection", one) for one in group.projections]
        declared += [("work", one) for one in group.works]
        for kind, one in declared:
            if one.event == event:
                said = " ".join((one.handler.__doc__ or "").split("\n\n")[0].split())
                yield group.group, kind, getattr(one.handler, "__name__", ""), said
