"""How a service says which events it answers, and with what.

A projection keeps a table up to date: many events, one transaction. Work is one event, one job that
may take long. Both are plain values; nothing is registered anywhere until `main` collects them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.registry import EventType, event_type
from libs.messaging.policy import DEFAULT_POLICY, RetryPolicy

Event = TypeVar("Event", bound=Message)
# What a service hands to its work handlers; each service has its own class.
Deps = TypeVar("Deps")


@dataclass(frozen=True, slots=True)
class Delivery(Generic[Event]):
    """One event as it was delivered: `event_id` is its identity, `tries` counts from 1."""

    event: Event
    event_id: str
    tries: int


@dataclass(frozen=True, slots=True)
class Projection:
    """A handler that applies events of one type to the service's own tables.

    `policy` says how often and when one that cannot be applied is tried again; None for the usual one. `gather_seconds`
    is how long after a batch the next one may wait to become larger. `of_erased` says that it applies events of
    organisations that are erased, too; all others are told nothing of them.
    """

    event: EventType
    # Sequence[Any]: each handler takes its own event class, which `projection` checks.
    handler: Callable[[AsyncSession, Sequence[Any]], Awaitable[None]]
    policy: RetryPolicy | None = None
    gather_seconds: float = 0.0
    of_erased: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """A handler that does a job for every event of one type.

    `name` becomes part of the durable's name. At most `concurrency` jobs run in one process, and at
    most `outstanding` in all processes together. `exhausted` runs before a job becomes a dead letter. `of_erased` says
    that it is done for organisations that are erased, too.
    """

    event: EventType
    name: str
    # Any: the service's own dependencies, which `main` wires.
    handler: Callable[[Delivery[Any], Any], Awaitable[None]]
    concurrency: int
    outstanding: int
    policy: RetryPolicy
    exhausted: Callable[[Delivery[Any], Any, str], Awaitable[None]] | None
    of_erased: bool = False


def projection(
    event: type[Event], *, policy: RetryPolicy | None = None, gather_seconds: float = 0.0, of_erased: bool = False
) -> Callable[[Callable[[AsyncSession, Sequence[Event]], Awaitable[None]]], Projection]:
    """Declare a projection of `event`: the handler gets a session and events in their order.

    The session's transaction is scoped to the organisations of the events; the inbox has removed
    events that were applied before. Where nobody waits for what is written, `gather_seconds` lets one transaction apply
    more: what comes after a pause is applied at once, what comes soon after it together. Of all that a service projects
    from one stream the shortest counts. Without `of_erased` events of organisations that are erased are left out.
    """

    def declare(handler: Callable[[AsyncSession, Sequence[Event]], Awaitable[None]]) -> Projection:
        return Projection(
            event=event_type(event),
            handler=handler,
            policy=policy,
            gather_seconds=gather_seconds,
            of_erased=of_erased,
        )

    return declare


def work(
    event: type[Event],
    *,
    concurrency: int = 8,
    outstanding: int = 256,
    policy: RetryPolicy = DEFAULT_POLICY,
    exhausted: Callable[[Delivery[Event], Deps, str], Awaitable[None]] | None = None,
    of_erased: bool = False,
) -> Callable[[Callable[[Delivery[Event], Deps], Awaitable[None]]], Work]:
    """Declare a job for every `event`; the handler's name names the durable consumer."""

    def declare(handler: Callable[[Delivery[Event], Deps], Awaitable[None]]) -> Work:
        return Work(
            event=event_type(event),
            name=handler.__name__,
            handler=handler,
            concurrency=concurrency,
            outstanding=outstanding,
            policy=policy,
            exhausted=exhausted,
            of_erased=of_erased,
        )

    return declare


@dataclass(frozen=True, slots=True)
class Rebuildable:
    """Projections whose tables follow from their events alone: `reset` empties them, applying all again fills them.

    Their handlers emit nothing: what they told the first time must not be told again.
    """

    name: str
    projections: tuple[Projection, ...]
    reset: Callable[[AsyncSession], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Calls:
    """This group asks `service` for `method` and waits for the reply."""

    service: str
    method: str


@dataclass(frozen=True, slots=True)
class Serves:
    """This group replies when it is asked for `service`'s `method`."""

    service: str
    method: str


@dataclass(frozen=True, slots=True)
class Overhears:
    """This group hears events of a type on their way into the stream, and may miss some."""

    event: EventType


@dataclass(frozen=True, slots=True)
class Follows:
    """This group reads the stream that holds events of a type, and hears them on their way into it."""

    event: EventType


@dataclass(frozen=True, slots=True)
class Signals:
    """This group sends signals of a topic."""

    topic: str


@dataclass(frozen=True, slots=True)
class Heeds:
    """This group hears the signals of a topic."""

    topic: str


Talk = Calls | Serves | Overhears | Follows | Signals | Heeds
"""What a group may do on the broker besides consuming."""


def overhears(event: type[Event]) -> Overhears:
    """Declare that events of this type are overheard."""
    return Overhears(event_type(event))


@dataclass(frozen=True, slots=True)
class Consumers:
    """Everything that one process group answers; `group` is its name on the broker.

    `talks` are what it may do there besides consuming; nothing else is allowed to it.
    """

    group: str
    projections: tuple[Projection, ...] = ()
    works: tuple[Work, ...] = ()
    talks: tuple[Talk, ...] = ()
    rebuildables: tuple[Rebuildable, ...] = ()


def declared(group: str, module: ModuleType) -> Consumers:
    """Collect what `module` declares, for the consumer group `group`."""
    values = list(vars(module).values())
    return Consumers(
        group=group,
        projections=tuple(value for value in values if isinstance(value, Projection)),
        works=tuple(value for value in values if isinstance(value, Work)),
        talks=tuple(value for value in values if isinstance(value, Talk)),
        rebuildables=tuple(value for value in values if isinstance(value, Rebuildable)),
    )
