"""What it costs that 2,000 clients wait for events."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from tests.bench.gateway.stage import Stage
from tests.bench.harness import Row, row

SUBSCRIBERS = 2000
AT_ONCE = 50
IDLE_SECONDS = 10.0


async def measure(stage: Stage) -> list[Row]:
    """Open so many event streams, and look at the gateway while nothing happens on them."""
    where = urlsplit(stage.stack.url)
    request = f"GET /v1/events HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {stage.stack.api_key}\r\n\r\n"
    places = asyncio.Semaphore(AT_ONCE)
    writers: list[asyncio.StreamWriter] = []

    async def subscribe() -> None:
        async with places:
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            writers.append(writer)
            writer.write(request.encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(head[:100].decode())

    before = stage.gateway.memory_full_info().uss
    alone = await _share_of_a_core(stage)
    try:
        await asyncio.gather(*(subscribe() for _ in range(SUBSCRIBERS)))
        together = await _share_of_a_core(stage)
        after = stage.gateway.memory_full_info().uss
    finally:
        for writer in writers:
            writer.close()
    return [
        row(f"{SUBSCRIBERS:,} idle subscribers: memory of each", [(after - before) / 1024 / SUBSCRIBERS], "kB"),
        row("the gateway's processor time without them", [alone], "% core"),
        row("the gateway's processor time with them", [together], "% core"),
    ]


async def _share_of_a_core(stage: Stage) -> float:
    spent, begun = sum(stage.gateway.cpu_times()[:2]), time.perf_counter()
    await asyncio.sleep(IDLE_SECONDS)
    return 100 * (sum(stage.gateway.cpu_times()[:2]) - spent) / (time.perf_counter() - begun)
