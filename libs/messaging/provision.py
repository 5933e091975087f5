"""Make the broker's streams and durables what the declarations say; safe to run again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StreamConfig
from nats.js.errors import NotFoundError

from libs.messaging.declarations import Consumers
from libs.messaging.topology import durables, streams

_IMMUTABLE = ("retention", "storage", "deliver_policy", "ack_policy")


class WouldLoseData(Exception):
    """The broker holds something whose wanted form can only be had by deleting it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: `action` is create or update; `details` maps a setting to (is, wanted)."""

    action: str
    kind: str
    name: str
    details: dict[str, tuple[Any, Any]]  # Any: settings are of many types


async def provision(jetstream: JetStreamContext, groups: Iterable[Consumers], *, replicas: int = 1) -> list[Change]:
    """Create and update streams and durables; return what changed.

    Never deletes. Raises WouldLoseData where only that would help.
    """
    changes: list[Change] = []
    for stream in streams(replicas):
        changes.extend(await _provision_stream(jetstream, stream))
    for stream_name, durable in durables(groups):
        changes.extend(await _provision_durable(jetstream, stream_name, durable))
    return changes


async def _provision_stream(jetstream: JetStreamContext, wanted: StreamConfig) -> list[Change]:
    name = wanted.name or ""
    try:
        present = (await jetstream.stream_info(name)).config
    except NotFoundError:
        await jetstream.add_stream(wanted)
        return [Change("create", "stream", name, {})]
    details = _difference(present.as_dict(), wanted.as_dict())
    if not details:
        return []
    _refuse_loss("stream", name, details)
    await jetstream.update_stream(wanted)
    return [Change("update", "stream", name, details)]


async def _provision_durable(jetstream: JetStreamContext, stream: str, wanted: ConsumerConfig) -> list[Change]:
    durable = wanted.durable_name or ""
    name = f"{stream}/{durable}"
    try:
        present = (await jetstream.consumer_info(stream, durable)).config
    except NotFoundError:
        await jetstream.add_consumer(stream, wanted)
        return [Change("create", "durable", name, {})]
    details = _difference(present.as_dict() if present else {}, wanted.as_dict())
    if not details:
        return []
    _refuse_loss("durable", name, details)
    await jetstream.add_consumer(stream, wanted)
    return [Change("update", "durable", name, details)]


def _difference(present: dict[str, Any], wanted: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    # The server reports a single filter as `filter_subject`, however it was given.
    if "filter_subject" in present and "filter_subjects" not in present:
        present = {**present, "filter_subjects": [present["filter_subject"]]}
    return {
        key: (present.get(key), value)
        for key, value in wanted.items()
        if value is not None and key != "metadata" and present.get(key) != value
    }


def _refuse_loss(kind: str, name: str, details: dict[str, tuple[Any, Any]]) -> None:
    immutable = sorted(set(details) & set(_IMMUTABLE))
    if immutable:
        raise WouldLoseData(
            f"{kind} {name} has another {', '.join(immutable)} than declared, which cannot be changed in place; "
            "export what it holds, delete it by hand, and provision again"
        )
