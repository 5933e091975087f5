"""Which event a new event answers, and in which trace: known while a handler runs."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message
from opentelemetry.context import Context
from sqlalchemy.ext.asyncio import AsyncSession

_KEY = "messaging.causes"


@dataclass(frozen=True, slots=True)
class Cause:
    """The id of an event that is being handled, and the context of the span that handles it."""

    event_id: str
    context: Context


def note_cause(session: AsyncSession, event: Message, event_id: str, context: Context) -> None:
    """Remember, for the time of this session, under which id and in which trace `event` came."""
    # By identity: two equal events are still two deliveries. The session keeps the event alive.
    session.info.setdefault(_KEY, {})[id(event)] = (event, Cause(event_id, context))


def cause_of(session: AsyncSession, event: Message) -> Cause:
    """Return what was noted for `event`; raises LookupError for an event that did not come with this session."""
    try:
        kept = session.info[_KEY][id(event)]
    except KeyError:
        raise LookupError(f"{event.DESCRIPTOR.name} was not delivered with this session") from None
    cause: Cause = kept[1]
    return cause
