"""How an event looks on the wire: protobuf bytes, CloudEvents attributes as NATS headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from google.protobuf.message import Message
from nats.aio.msg import Msg

from libs.contracts.registry import UndecodableEvent, decode
from libs.ids import SYSTEM_ORG, parse_id

CONTENT_TYPE = "application/protobuf"


@dataclass(frozen=True, slots=True)
class Attributes:
    """The CloudEvents attributes of one event.

    `aggregate` is the CloudEvents subject; `org_id` an extension attribute, SYSTEM_ORG for events
    that belong to no organisation; `cause` the id of the event that this one answers, if any.
    """

    event_id: UUID
    type_name: str
    source: str
    aggregate: str
    org_id: UUID
    time: datetime
    cause: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the NATS headers; `Nats-Msg-Id` lets the broker drop a repeated publication."""
        event_id = str(self.event_id)
        headers = {
            "Nats-Msg-Id": event_id,
            "content-type": CONTENT_TYPE,
            "ce-specversion": "1.0",
            "ce-id": event_id,
            "ce-type": self.type_name,
            "ce-source": self.source,
            "ce-subject": self.aggregate,
            "ce-time": self.time.astimezone(UTC).isoformat(),
            "ce-orgid": str(self.org_id),
        }
        if self.cause:
            headers["ce-causationid"] = self.cause
        return headers


@dataclass(frozen=True, slots=True)
class Received:
    """A message that claims to be an event, before it is decoded."""

    message: Msg
    event_id: UUID
    type_name: str
    aggregate: str
    org_id: UUID
    event: Message

    @property
    def id_text(self) -> str:
        """The event's id as it came."""
        return self.headers["ce-id"]

    @property
    def headers(self) -> Mapping[str, str]:
        """The message's headers."""
        return self.message.headers or {}


CONSUMER_HEADER = "Antiphon-Consumer"
"""Names the one durable that an event is meant for, when it is told again for that one alone."""


def is_addressed_to(message: Msg, durable: str) -> bool:
    """Say whether `durable` should apply `message`; an event that is told to everybody names nobody."""
    return (message.headers or {}).get(CONSUMER_HEADER, durable) == durable


@lru_cache(maxsize=4096)
def _org_of(text: str) -> UUID | None:
    return parse_id(text) if text else SYSTEM_ORG


def open_envelope(message: Msg) -> Received:
    """Read headers and payload of `message`.

    Raises UndecodableEvent when an attribute is missing or malformed or the payload does not decode,
    and UnknownEvent when no contract has its type.
    """
    headers = message.headers or {}
    event_id = parse_id(headers.get("ce-id", ""))
    org_id = _org_of(headers.get("ce-orgid", ""))
    type_name = headers.get("ce-type", "")
    if event_id is None or org_id is None or not type_name:
        raise UndecodableEvent("a CloudEvents attribute is missing or malformed: ce-id, ce-type or ce-orgid")
    return Received(
        message=message,
        event_id=event_id,
        type_name=type_name,
        aggregate=headers.get("ce-subject", ""),
        org_id=org_id,
        event=decode(type_name, message.data),
    )
