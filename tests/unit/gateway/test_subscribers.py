"""What waits for a client that is told events."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from services.gateway.domain.access import ALL_SCOPES, Credential
from services.gateway.domain.public_events import TYPES, Wanted
from services.gateway.usecases.subscriber import BUFFER_BYTES, STALLED_BEATS, Subscriber


class Client:
    """The other end of a connection, which takes what comes or does not."""

    def __init__(self) -> None:
        self.taken = b""
        self.ended = False
        self.was_cut = False
        self.takes = asyncio.Event()
        self.takes.set()
        credential = Credential(uuid4(), uuid4(), None, ALL_SCOPES, "free")
        self.subscriber = Subscriber(credential, Wanted(TYPES), self._write, self._cut)

    async def _write(self, piece: bytes, more: bool) -> None:
        await self.takes.wait()
        self.taken += piece
        self.ended = not more

    def _cut(self) -> None:
        self.was_cut = True

    async def settle(self) -> None:
        async with asyncio.timeout(1):
            while not self.subscriber.is_idle:  # noqa: ASYNC110 - it is the loop that has to turn
                await asyncio.sleep(0)


async def test_what_is_offered_is_written_in_its_order() -> None:
    client = Client()
    client.subscriber.join()
    for number in range(5):
        client.subscriber.offer(b"%d" % number)
    await client.settle()
    client.subscriber.offer(b"5")
    await client.settle()
    assert client.taken == b"012345"
    assert not client.ended


async def test_nothing_is_written_before_it_has_caught_up() -> None:
    client = Client()
    client.subscriber.offer(b"first")
    client.subscriber.beat(b"beat")
    await client.settle()
    assert client.taken == b""
    client.subscriber.join()
    await client.settle()
    assert client.taken == b"first"


async def test_a_slow_client_is_ended_and_what_waits_stays_bounded() -> None:
    client = Client()
    client.subscriber.join()
    client.subscriber.offer(b"begun|")
    await asyncio.sleep(0)
    client.takes.clear()
    piece = b"x" * 1000
    for _ in range(10 * BUFFER_BYTES // len(piece)):
        client.subscriber.offer(piece)
    assert client.subscriber.is_ending
    client.takes.set()
    await client.settle()
    assert client.taken.startswith(b"begun|")
    assert client.taken.endswith(b": too slow; reconnect, and you go on where you were\n\n")
    assert len(client.taken) <= BUFFER_BYTES + 200
    assert client.ended


async def test_a_client_that_takes_nothing_at_all_is_cut_off() -> None:
    client = Client()
    client.subscriber.join()
    client.takes.clear()
    client.subscriber.offer(b"x")
    for _ in range(STALLED_BEATS):
        assert not client.was_cut
        client.subscriber.beat(b"beat")
    assert client.was_cut
    client.subscriber.leave()


async def test_a_heartbeat_comes_when_nothing_else_does() -> None:
    client = Client()
    client.subscriber.join()
    client.subscriber.beat(b": heartbeat\n\n")
    await client.settle()
    assert client.taken == b": heartbeat\n\n"


async def test_nothing_is_told_after_the_end() -> None:
    client = Client()
    client.subscriber.join()
    client.subscriber.offer(b"told|")
    client.subscriber.end("restart")
    client.subscriber.end("key_changed")
    client.subscriber.offer(b"more")
    await client.settle()
    assert client.taken.startswith(b"told|: restarting")
    assert b"more" not in client.taken
    assert client.ended
