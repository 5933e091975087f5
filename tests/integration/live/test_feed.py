"""The feed of events, as one part of a process."""

from __future__ import annotations

import asyncio

from libs.messaging import Bus
from services.gateway.adapters.event_feed import EventFeed
from tests.integration.gateway.conftest import Tenant
from tests.integration.live.conftest import now
from tests.integration.live.running import completed, publish


async def test_it_ends_when_it_is_told_to_whatever_is_under_way(operator: Bus, tenant: Tenant) -> None:
    async def keep_publishing() -> None:
        while True:
            await publish(operator, completed(tenant.org_id))

    publishing = asyncio.create_task(keep_publishing())
    for turn in range(12):
        feed = EventFeed(operator, now)
        running = asyncio.create_task(feed.run())
        await feed.until_ready()
        await asyncio.sleep(turn / 500)
        running.cancel()
        _, pending = await asyncio.wait({running}, timeout=3)
        assert not pending, turn
    publishing.cancel()
