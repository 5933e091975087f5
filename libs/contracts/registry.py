"""What the event contracts declare about themselves, read from their descriptors."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache

from google.protobuf.message import DecodeError, Message

import libs.contracts.antiphon as generated
from libs.contracts.antiphon.options.v1 import options_pb2


class UnknownEvent(Exception):
    """No contract that this build knows has that type name."""


class UndecodableEvent(Exception):
    """The bytes are not an encoding of the type that they claim to be."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One declared event.

    `name` is the full protobuf name and the CloudEvents type; `subject` the NATS subject;
    `service` who emits it; `aggregate_field` the field that holds the aggregate's id.
    """

    message: type[Message]
    name: str
    subject: str
    service: str
    aggregate_field: str

    @property
    def stream(self) -> str:
        """The JetStream stream that holds this event: one for each emitting service."""
        return stream_of(self.service)

    def aggregate_of(self, event: Message) -> str:
        """Return the id of the aggregate that `event` is about."""
        return str(getattr(event, self.aggregate_field))


def stream_of(service: str) -> str:
    """Return the name of the stream that holds the events of `service`."""
    return f"EVT_{service.upper()}"


@cache
def _types() -> dict[str, EventType]:
    found: dict[str, EventType] = {}
    for module_info in pkgutil.walk_packages(generated.__path__, generated.__name__ + "."):
        if not module_info.name.endswith("_pb2"):
            continue
        module = importlib.import_module(module_info.name)
        for descriptor in module.DESCRIPTOR.message_types_by_name.values():
            options = descriptor.GetOptions()
            if not options.HasExtension(options_pb2.event):
                continue
            declared = options.Extensions[options_pb2.event]
            found[descriptor.full_name] = EventType(
                message=getattr(module, descriptor.name),
                name=descriptor.full_name,
                subject=declared.subject,
                service=declared.subject.split(".")[1],
                aggregate_field=declared.aggregate,
            )
    return found


def all_events() -> tuple[EventType, ...]:
    """Return every declared event, in the order of their names."""
    return tuple(sorted(_types().values(), key=lambda event: event.name))


def emitting_services() -> tuple[str, ...]:
    """Return the services that emit at least one event, sorted."""
    return tuple(sorted({event.service for event in all_events()}))


def event_type(event: Message | type[Message]) -> EventType:
    """Return the declaration of an event or of its class; raises UnknownEvent."""
    return event_type_named(event.DESCRIPTOR.full_name)


def event_type_named(name: str) -> EventType:
    """Return the declaration of the event with this full name; raises UnknownEvent."""
    try:
        return _types()[name]
    except KeyError:
        raise UnknownEvent(f"no contract declares an event {name!r}") from None


def decode(name: str, payload: bytes) -> Message:
    """Decode `payload` as the event called `name`; unknown fields are kept.

    Raises UnknownEvent or UndecodableEvent.
    """
    declared = event_type_named(name)
    try:
        return declared.message.FromString(payload)
    except DecodeError as error:
        raise UndecodableEvent(f"not an encoding of {name}") from error
