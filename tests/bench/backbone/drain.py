"""How fast a full outbox is drained, against a bare publisher that reads the same rows."""

from __future__ import annotations

import time
from uuid import uuid4

import nats
import orjson

from libs.outbox.shard_relay import BATCH_EVENTS
from tests.bench.backbone.events import empty, fill_outbox, until
from tests.bench.harness import Row, row
from tests.support.scratch import Scratch

EVENTS, SIZE, ROUNDS = 30_000, 1024, 3


async def measure(scratch: Scratch) -> list[Row]:
    """Drain in turns, the bare publisher and the relay."""
    bare, relay = [], []
    for _ in range(ROUNDS):
        await empty(scratch, "outbox", "outbox_sent")
        await fill_outbox(scratch, EVENTS, SIZE)
        bare.append(EVENTS / await _bare(scratch))
        relay.append(EVENTS / await _relay(scratch))
    await empty(scratch, "outbox", "outbox_sent")
    return [
        row("relay drain, 1 KB events", relay, "events/s", at_least=12_000),
        row("the same against a bare atomic-batch publisher", relay, "events/s", baseline=bare, at_least=0.6),
    ]


async def _bare(scratch: Scratch) -> float:
    """Read the rows in their order and publish them in atomic batches of the relay's size.

    It has none of what makes a relay: no leader, no archive, no CloudEvents headers, no trace, no retry. Of
    headers it writes only those without which a batch is none, and the id against duplicates.
    """
    connection = await scratch.connect()
    address = scratch.servers.nats("provisioner")
    client = await nats.connect(address.url, user=address.user, password=address.password)
    begun, last, sent = time.perf_counter(), 0, 0
    while rows := await connection.fetch(
        "select seq, event_id, subject, payload from outbox where seq > $1 order by seq limit $2", last, BATCH_EVENTS
    ):
        batch = uuid4().hex
        for number, one in enumerate(rows, start=1):
            headers = {
                "Nats-Msg-Id": f"bare-{one['event_id']}",
                "Nats-Batch-Id": batch,
                "Nats-Batch-Sequence": str(number),
            }
            if number < len(rows):
                await client.publish(one["subject"], one["payload"], headers=headers)
            else:
                headers["Nats-Batch-Commit"] = "1"
                answer = await client.request(one["subject"], one["payload"], timeout=10, headers=headers)
                told = orjson.loads(answer.data)
                assert "error" not in told, told
        last, sent = rows[-1]["seq"], sent + len(rows)
    took = time.perf_counter() - begun
    await connection.close()
    await client.close()
    assert sent == EVENTS
    return took


async def _relay(scratch: Scratch) -> float:
    """Time from the start of the relay, its election included, until the archive holds everything."""
    connection = await scratch.connect()
    begun = time.perf_counter()
    async with scratch.relaying():
        await until(scratch, "not exists (select from outbox)")
        took = time.perf_counter() - begun
    assert await connection.fetchval("select count(*) from outbox_sent") == EVENTS
    await connection.close()
    return took
