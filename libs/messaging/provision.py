"""Make the broker's streams and durables what the declarations say: first a plan, then its steps; safe to run again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StreamConfig
from nats.js.errors import APIError, NotFoundError

from libs.messaging.declarations import Consumers
from libs.messaging.topology import durables, streams

_IMMUTABLE = ("retention", "storage", "deliver_policy", "ack_policy")
_DURATIONS = ("max_age", "duplicate_window", "ack_wait", "inactive_threshold")
"""Settings that go over the wire in nanoseconds."""
_NO_PEERS = 10005
"""The broker's code for a cluster that lacks servers for the replicas: one that has just started may not know all."""
_PEERS_TRIES, _PEERS_PAUSE = 60, 0.5
_LIMITS = ("max_age", "max_bytes", "max_msgs", "max_msgs_per_subject")


class WouldLoseData(Exception):
    """The broker holds something whose wanted form can only be had by deleting it, or some of it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: `details` maps a setting to (is, wanted).

    What is undeclared is on the broker and nobody's; it is told of and left alone.
    """

    action: Literal["create", "update", "undeclared"]
    kind: Literal["stream", "durable"]
    name: str
    details: dict[str, tuple[Any, Any]]  # Any: settings are of many types
    wanted: StreamConfig | ConsumerConfig | None = None

    def __str__(self) -> str:
        """Say it in a line a setting."""
        settings = "".join(f"\n    {key}: {old} -> {new}" for key, (old, new) in sorted(self.details.items()))
        return f"{self.action} {self.kind} {self.name}{settings}"


async def provision(jetstream: JetStreamContext, groups: Iterable[Consumers], *, replicas: int = 1) -> list[Change]:
    """Create and update streams and durables; return what changed.

    Never deletes. Raises WouldLoseData, before anything is changed, where only that would help.
    """
    changes = [one for one in await plan(jetstream, groups, replicas=replicas) if one.action != "undeclared"]
    await apply(jetstream, changes)
    return changes


async def plan(jetstream: JetStreamContext, groups: Iterable[Consumers], *, replicas: int = 1) -> list[Change]:
    """Return what differs between the broker and the declarations, in the order in which it can be mended.

    Raises WouldLoseData where mending would lose something.
    """
    changes = []
    wanted_streams = streams(replicas)
    for stream in wanted_streams:
        changes += await _plan_stream(jetstream, stream)
    missing = {one.name for one in changes if one.action == "create"}
    wanted_durables = durables(groups)
    for stream_name, durable in wanted_durables:
        changes += await _plan_durable(jetstream, stream_name, durable, exists=stream_name not in missing)
    declared = {stream.name or "" for stream in wanted_streams}
    durable_names = {(stream, config.durable_name) for stream, config in wanted_durables}
    return changes + await _undeclared(jetstream, declared, durable_names, missing)


async def apply(jetstream: JetStreamContext, changes: Iterable[Change]) -> None:
    """Carry out a plan; what is undeclared stays."""
    for change in changes:
        if isinstance(change.wanted, ConsumerConfig):
            await jetstream.add_consumer(change.name.partition("/")[0], change.wanted)
        elif isinstance(change.wanted, StreamConfig):
            await _place(jetstream, change, change.wanted)


async def _place(jetstream: JetStreamContext, change: Change, wanted: StreamConfig) -> None:
    for tried in range(1, _PEERS_TRIES + 1):
        try:
            await (jetstream.add_stream if change.action == "create" else jetstream.update_stream)(wanted)
        except APIError as error:
            if error.err_code != _NO_PEERS or tried == _PEERS_TRIES:
                raise
            await asyncio.sleep(_PEERS_PAUSE)
        else:
            return


async def _plan_stream(jetstream: JetStreamContext, wanted: StreamConfig) -> list[Change]:
    name = wanted.name or ""
    try:
        present = (await jetstream.stream_info(name)).config.as_dict()
    except NotFoundError:
        return [Change("create", "stream", name, {}, wanted)]
    details = _difference(present, wanted.as_dict())
    _refuse_loss("stream", name, details)
    return [Change("update", "stream", name, details, wanted)] if details else []


async def _plan_durable(
    jetstream: JetStreamContext, stream: str, wanted: ConsumerConfig, *, exists: bool
) -> list[Change]:
    durable = wanted.durable_name or ""
    name = f"{stream}/{durable}"
    try:
        present = (await jetstream.consumer_info(stream, durable)).config if exists else None
    except NotFoundError:
        present = None
    if present is None:
        return [Change("create", "durable", name, {}, wanted)]
    details = _difference(present.as_dict(), wanted.as_dict())
    _refuse_loss("durable", name, details)
    return [Change("update", "durable", name, details, wanted)] if details else []


async def _undeclared(
    jetstream: JetStreamContext, declared: set[str], durable_names: set[tuple[str, str | None]], missing: set[str]
) -> list[Change]:
    found = [
        Change("undeclared", "stream", info.config.name or "", {})
        for info in await jetstream.streams_info()
        if info.config.name not in declared
    ]
    for stream in sorted(declared - missing):
        found += [
            Change("undeclared", "durable", f"{stream}/{consumer.name}", {})
            for consumer in await jetstream.consumers_info(stream)
            if consumer.config.durable_name and (stream, consumer.name) not in durable_names
        ]
    return found


def _difference(present: dict[str, Any], wanted: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    # The server reports a single filter as `filter_subject`, however it was given.
    if "filter_subject" in present and "filter_subjects" not in present:
        present = {**present, "filter_subjects": [present["filter_subject"]]}
    return {
        key: (_readable(key, present.get(key)), _readable(key, value))
        for key, value in wanted.items()
        if value is not None and key != "metadata" and present.get(key) != value
    }


def _readable(key: str, value: Any) -> Any:
    return value / 1e9 if key in _DURATIONS and value is not None else value


def _refuse_loss(kind: str, name: str, details: dict[str, tuple[Any, Any]]) -> None:
    immutable = sorted(set(details) & set(_IMMUTABLE))
    if immutable:
        raise WouldLoseData(
            f"{kind} {name} has another {', '.join(immutable)} than declared, which cannot be changed in place; "
            "export what it holds, delete it by hand, and provision again"
        )
    for limit in set(details) & set(_LIMITS):
        old, new = details[limit]
        # No limit is written as nothing, 0 or -1.
        if new > 0 and (not old or old < 0 or new < old):
            raise WouldLoseData(
                f"{kind} {name} would drop messages if its {limit} became {new} ({old or 'without a limit'} now); "
                "set the limit by hand if that is meant, and provision again"
            )
    old_subjects, new_subjects = details.get("subjects", ((), ()))
    if gone := set(old_subjects or ()) - set(new_subjects):
        raise WouldLoseData(
            f"stream {name} would no longer take {', '.join(sorted(gone))}, and what is published there would be lost; "
            "take the subject from the stream by hand once nobody publishes it, and provision again"
        )
