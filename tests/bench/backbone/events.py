"""Events in bulk: rows of the outbox as a service would have written them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.contracts.registry import event_type
from libs.ids import new_id
from tests.support.scratch import Scratch

AGGREGATES = 1000
_TEMPLATES = 64

# As of a request that the sampling left out: most of them, in a system that is measured for its speed.
_TRACE = '{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}'
_SEED = """
insert into outbox (event_id, type_name, subject, aggregate, org_id, payload, trace)
select uuidv7(), $2, $3, 'voice-' || number % $4, $5,
    ($6::bytea[])[1 + number % array_length($6::bytea[], 1)], $7::jsonb
from generate_series(1, $1::bigint) number
"""


def payloads(size: int) -> Sequence[bytes]:
    """Encoded events of about `size` bytes that no compression makes small."""
    source = random.Random(7)
    made = []
    for _ in range(_TEMPLATES):
        event = VoiceDeleted(voice_id=str(new_id()), org_id=str(new_id()))
        event.object_keys.append(source.randbytes(max(0, size - event.ByteSize() - 4) // 2).hex())
        made.append(event.SerializeToString())
    return made


async def fill_outbox(scratch: Scratch, count: int, size: int) -> None:
    """Write `count` events of `size` bytes into the outbox."""
    declared = event_type(VoiceDeleted)
    connection = await scratch.connect()
    try:
        await connection.execute(
            _SEED, count, declared.name, declared.subject, AGGREGATES, new_id(), payloads(size), _TRACE, timeout=300
        )
    finally:
        await connection.close()


async def empty(scratch: Scratch, *tables: str) -> None:
    """Empty tables."""
    await scratch.fetch(f"truncate {', '.join(tables)}")


async def until(scratch: Scratch, condition: str, *arguments: object, seconds: float = 120) -> None:
    """Wait until an SQL condition holds."""
    connection = await scratch.connect()
    try:
        async with asyncio.timeout(seconds):
            while not await connection.fetchval(f"select {condition}", *arguments):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
    finally:
        await connection.close()
