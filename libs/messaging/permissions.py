"""What each user of the broker may do there: what its service emits and consumes, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from libs.contracts.registry import all_events, stream_of
from libs.messaging.connection import inbox_prefix
from libs.messaging.declarations import Calls, Consumers, Follows, Heeds, Overhears, Serves, Signals, Talk
from libs.messaging.rpc import rpc_subject
from libs.messaging.signals import signal_subject
from libs.messaging.topology import DEAD_LETTER_PREFIX, DEAD_LETTERS, durables, wake_subject


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects that a user may publish and subscribe; `replies`: to whom asks it, wherever they want the answer."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    replies: bool


def permissions(user: str, service: str, *, relays: bool, consumers: Consumers) -> Permissions:
    """Return what `user` needs, whose process writes the outbox of `service`.

    `relays`: whether it also sends that outbox to the broker.
    """
    publish = {wake_subject(service)}
    subscribe = {f"{inbox_prefix(user)}.>"}
    if relays:
        subscribe.add(wake_subject(service))
        publish |= {event.subject for event in all_events() if event.service == service}
        publish |= _stream_upkeep(stream_of(service))
    for stream, config in durables([consumers]):
        publish |= _consuming(stream, config.durable_name or "")
    if consumers.projections or consumers.works:
        publish |= _stream_upkeep(DEAD_LETTERS)
    for talk in consumers.talks:
        published, heard = _talking(talk)
        publish |= published
        subscribe |= heard
    replies = any(isinstance(talk, Serves) for talk in consumers.talks)
    return Permissions(tuple(sorted(publish)), tuple(sorted(subscribe)), replies)


def _talking(talk: Talk) -> tuple[set[str], set[str]]:
    """What is published and what is heard by who talks so."""
    match talk:
        case Calls(service, method):
            return {rpc_subject(service, method)}, set()
        case Serves(service, method):
            return set(), {rpc_subject(service, method)}
        case Overhears(event):
            return set(), {event.subject}
        case Follows(event):
            looks = {f"$JS.API.DIRECT.GET.{event.stream}", f"$JS.API.STREAM.INFO.{event.stream}"}
            return looks, {event.subject}
        case Signals(topic):
            return {signal_subject(topic, "*")}, set()
        case Heeds(topic):
            return set(), {signal_subject(topic, "*")}


def _stream_upkeep(stream: str) -> set[str]:
    """Looking at a stream, and making it anew when the broker has lost it."""
    return {f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.STREAM.CREATE.{stream}"}


def _consuming(stream: str, durable: str) -> set[str]:
    """Taking from a durable, settling what was taken, and making the durable anew when the broker has lost it."""
    return {
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{durable}",
        # The second form is that of servers which know domains and accounts.
        f"$JS.ACK.{stream}.{durable}.>",
        f"$JS.ACK.*.*.{stream}.{durable}.>",
        f"{DEAD_LETTER_PREFIX}.{durable}.>",
    }
