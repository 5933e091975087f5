"""Every user of the broker reaches what its service declares, and is denied every other subject that anybody uses."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.broker import USERS_FILE
from deploy.init import all_consumers
from libs.messaging import Bus, connect
from libs.messaging.provision import provision
from tests.support.polling import eventually
from tests.support.servers import Servers

USERS: dict[str, Any] = json.loads(Path(USERS_FILE).read_text())
SERVICES = [user for user, allowed in USERS.items() if allowed is not None]
EVERYTHING_PUBLISHED = sorted({subject for user in SERVICES for subject in USERS[user]["publish"]})
EVERYTHING_HEARD = sorted({subject for user in SERVICES for subject in USERS[user]["subscribe"]})
NEVER = [
    "$JS.API.STREAM.DELETE.EVT_GENERATION",
    "$JS.API.STREAM.PURGE.EVT_GENERATION",
    "$JS.API.STREAM.MSG.DELETE.EVT_GENERATION",
    "$JS.API.STREAM.MSG.GET.EVT_GENERATION",
    "$JS.API.STREAM.UPDATE.EVT_GENERATION",
    "$JS.API.CONSUMER.CREATE.EVT_GENERATION",
    "$JS.API.CONSUMER.DELETE.EVT_GENERATION.storage-keep_audio",
    "$JS.API.STREAM.LIST",
    "$SYS.REQ.SERVER.PING",
    "anything.else",
]
NEVER_HEARD = [">", "evt.>", "_INBOX.>", "*.*.*", "$SYS.>", "dlq.>", "rpc.>"]


class Denials(logging.Handler):
    """Collects what is logged of denied subjects."""

    def __init__(self) -> None:
        super().__init__()
        self.subjects: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "denied" in record.getMessage():
            self.subjects.append((record.__dict__["operation"], record.__dict__["subject"]))


@pytest.fixture
async def operator(servers: Servers) -> AsyncIterator[Bus]:
    bus = await connect(servers.nats("provisioner"), "operator")
    await provision(bus.jetstream, all_consumers())
    yield bus
    await bus.close()


@pytest.fixture
def denials() -> Iterator[Denials]:
    handler = Denials()
    logger = logging.getLogger("libs.messaging.connection")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def covers(pattern: str, subject: str) -> bool:
    """Say whether a permission covers a subject."""
    wanted, given = pattern.split("."), subject.split(".")
    for number, token in enumerate(wanted):
        if token == ">":
            return len(given) > number
        if number >= len(given) or token not in ("*", given[number]):
            return False
    return len(wanted) == len(given)


def concrete(subject: str) -> str:
    return subject.replace("*", "x").replace(">", "x.1")


@pytest.mark.parametrize("user", SERVICES)
@pytest.mark.usefixtures("operator")
async def test_a_user_may_do_what_it_declares_and_nothing_else(servers: Servers, denials: Denials, user: str) -> None:
    allowed = USERS[user]
    bus = await connect(servers.nats(user), "test")
    try:
        # Asking for a message, for settling one or for a stream again with nothing in it changes nothing.
        needed = [subject for subject in allowed["publish"] if not subject.startswith(("evt.", "dlq."))]
        for subject in needed:
            await bus.client.publish(concrete(subject))
        for subject in allowed["subscribe"]:
            subscription = await bus.client.subscribe(subject)
            await subscription.unsubscribe()
        await bus.client.flush()
        assert denials.subjects == []

        foreign = [
            concrete(subject)
            for subject in (*EVERYTHING_PUBLISHED, *NEVER)
            if not any(covers(pattern, concrete(subject)) for pattern in allowed["publish"])
        ]
        for subject in foreign:
            await bus.client.publish(subject)
        unheard = [
            subject
            for subject in (*EVERYTHING_HEARD, *NEVER_HEARD)
            if not any(covers(pattern, subject) for pattern in allowed["subscribe"])
        ]
        for subject in unheard:
            await bus.client.subscribe(subject)
        await bus.client.flush()
        # The client library tells of denials in lower case.
        expected = {("publish", subject.lower()) for subject in foreign}
        expected |= {("subscription", subject.lower()) for subject in unheard}

        async def all_denied() -> bool:
            return expected <= set(denials.subjects)

        await eventually(all_denied, what=f"denials of {len(expected)} subjects")
        assert len(foreign) > 60
    finally:
        await bus.close()


async def test_a_service_that_is_asked_may_answer_and_the_answer_reaches_nobody_else(
    servers: Servers, operator: Bus, denials: Denials
) -> None:
    analytics = await connect(servers.nats("analytics"), "test")
    generation = await connect(servers.nats("generation"), "test")
    try:

        async def answer(message: Any) -> None:  # Any: the client library's message
            await analytics.client.publish(message.reply, b"granted")

        await analytics.client.subscribe("rpc.analytics.reserve", queue="analytics", cb=answer)
        await analytics.client.flush()
        reply = await generation.client.request("rpc.analytics.reserve", b"", timeout=5)
        assert reply.data == b"granted"
        # Unasked, it may not speak into somebody's inbox.
        await analytics.client.publish("_INBOX_generation.made.up", b"forged")
        await analytics.client.flush()

        async def denied() -> bool:
            return ("publish", "_inbox_generation.made.up") in denials.subjects

        await eventually(denied, what=f"a denial; there are {denials.subjects}")
    finally:
        await analytics.close()
        await generation.close()
    assert operator.is_connected
