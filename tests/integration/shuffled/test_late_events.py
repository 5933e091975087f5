"""Events that come when their organisation is erased already: in any order, nothing of it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.contracts.registry import event_type
from libs.ids import new_id
from services.gateway.store import erasures
from tests.integration.shuffled.histories import EVERYTHING, History, Told
from tests.integration.shuffled.parties import PARTIES
from tests.integration.shuffled.stage import Party, Stage, running
from tests.support.servers import Servers

STAYS = {"erased_organizations", "audit_log", "audit_heads", "erasures", "erasure_reports", "key_changes"}
"""That an organisation is erased, and what else outlives it."""


async def _erase(stage: Stage, history: History) -> None:
    """As the service does it: when it is asked to, or, where it is the one that asks, at once."""
    asked = event_type(OrganizationErasureRequested())
    if any(work.event == asked for work in stage.party.consumers.works):
        requests = [
            OrganizationErasureRequested(
                org_id=str(org_id), erasure_id=str(new_id()), round=1, requested_at=datetime.now(UTC)
            )
            for org_id in history.orgs
        ]
        await stage.tell([Told(new_id(), request) for request in requests])
        return
    for org_id in history.orgs:
        async with stage.database.transaction(org_id) as session:
            await erasures.erase_organization(session, org_id)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("party", PARTIES, ids=lambda party: party.consumers.group)
async def test_what_comes_late_brings_nothing_back(
    servers: Servers, migrated: Callable[[str], None], party: Party
) -> None:
    await asyncio.to_thread(migrated, party.service)
    async with running(servers, party) as stage:
        for seed in (1, 2):
            left = await stage.play_late(EVERYTHING, _erase, EVERYTHING.shuffled(seed, times=2))
            assert {table: rows for table, rows in left.items() if table not in STAYS} == {}
            assert left["erased_organizations"] == len(EVERYTHING.orgs)
