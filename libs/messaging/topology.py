"""Which streams and durables exist: derived from the contracts and from what services declare."""

from __future__ import annotations

from collections.abc import Iterable

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StoreCompression,
    StreamConfig,
)

from libs.contracts.registry import emitting_services, stream_of
from libs.messaging.declarations import Consumers, Projection, Work

DEAD_LETTERS = "DEAD_LETTERS"
DEAD_LETTER_PREFIX = "dlq"
EVENT_MAX_AGE = 7 * 86400.0
"""Seconds that events stay in their stream; the outbox archives keep them for longer."""
DUPLICATE_WINDOW = 120.0
"""Seconds within which the broker itself drops a message that it already has."""
PROJECTION_ACK_WAIT = 10.0
"""Seconds without a sign of life after which a batch is delivered again; signs are given three times as often."""
PROJECTION_OUTSTANDING = 5000
BATCH_EVENTS = 500
"""How many events a projection applies in one transaction at most."""


def streams(replicas: int = 1) -> list[StreamConfig]:
    """Return the wanted streams: one for each emitting service, and the dead letters."""
    return [*(_event_stream(service, replicas) for service in emitting_services()), _dead_letter_stream(replicas)]


def _event_stream(service: str, replicas: int) -> StreamConfig:
    return StreamConfig(
        name=stream_of(service),
        subjects=[f"evt.{service}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=EVENT_MAX_AGE,
        duplicate_window=DUPLICATE_WINDOW,
        num_replicas=replicas,
        compression=StoreCompression.S2,
        allow_direct=True,
        allow_atomic=True,
        deny_delete=True,
    )


def _dead_letter_stream(replicas: int) -> StreamConfig:
    return StreamConfig(
        name=DEAD_LETTERS,
        subjects=[f"{DEAD_LETTER_PREFIX}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        duplicate_window=DUPLICATE_WINDOW,
        num_replicas=replicas,
        compression=StoreCompression.S2,
        allow_direct=True,
    )


def wake_subject(service: str) -> str:
    """Return the subject on which the relay of `service` is told that there is something to send."""
    return f"wake.{service}.outbox"


def projection_durable(group: str) -> str:
    """Return the name of the durable through which `group` keeps its projections."""
    return group


def work_durable(group: str, work: Work) -> str:
    """Return the name of the durable that hands out the jobs of `work`."""
    return f"{group}-{work.name}"


def projections_by_stream(consumers: Consumers) -> dict[str, list[Projection]]:
    """Return the projections of a group by the stream that feeds them."""
    by_stream: dict[str, list[Projection]] = {}
    for declared in consumers.projections:
        by_stream.setdefault(declared.event.stream, []).append(declared)
    return by_stream


def durables(groups: Iterable[Consumers]) -> list[tuple[str, ConsumerConfig]]:
    """Return the wanted durables as (stream, configuration)."""
    wanted: list[tuple[str, ConsumerConfig]] = []
    for group in groups:
        for stream, declared in sorted(projections_by_stream(group).items()):
            subjects = sorted({one.event.subject for one in declared})
            wanted.append((stream, _projection_config(group.group, subjects)))
        wanted.extend((one.event.stream, _work_config(group.group, one)) for one in group.works)
    return wanted


def _projection_config(group: str, subjects: list[str]) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=projection_durable(group),
        filter_subjects=subjects,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=PROJECTION_ACK_WAIT,
        max_ack_pending=PROJECTION_OUTSTANDING,
        max_deliver=-1,
    )


def _work_config(group: str, work: Work) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=work_durable(group, work),
        filter_subjects=[work.event.subject],
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=work.policy.ack_wait,
        max_ack_pending=work.outstanding,
        max_deliver=-1,
    )
