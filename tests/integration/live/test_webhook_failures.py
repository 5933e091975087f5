"""Webhooks that fail: tried again, disabled, and in nobody's way."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from libs.contracts.antiphon.gateway.v1.events_pb2 import WebhookDisabled
from libs.database import Database
from libs.messaging import Bus
from services.gateway.domain.webhooks import DISABLE_AFTER
from tests.integration.gateway.conftest import Tenant
from tests.integration.live.conftest import Replica, Replicas
from tests.integration.live.receiving import Clock, owner_of, receiving
from tests.integration.live.running import completed, publish


async def test_what_fails_is_tried_again_under_the_same_id(replicas: Replicas, operator: Bus, tenant: Tenant) -> None:
    clock = Clock()
    async with (
        replicas(clock=clock) as replica,
        receiving(500, 0) as receiver,
        owner_of(replica, tenant) as owner,
    ):
        made = await owner.add(receiver.url)
        event_id = await publish(operator, completed(tenant.org_id))
        first = await owner.until_settled(made["id"], 1)
        assert (first["status"], first["attempts"][0]["error"]) == ("pending", "status")
        assert first["next_attempt_at"] is not None
        assert (await owner.ask("GET", f"/{made['id']}"))["failing_since"] is not None
        clock.ahead += timedelta(minutes=1)
        second = await owner.until_settled(made["id"], 2)
        assert (second["status"], second["attempts"][1]["error"]) == ("pending", "timeout")
        clock.ahead += timedelta(minutes=10)
        third = await owner.until_settled(made["id"], 3)
        assert (third["status"], third["next_attempt_at"]) == ("delivered", None)
        assert [one.id for one in receiver.received] == [event_id] * 3
        assert [one["number"] for one in third["attempts"]] == [1, 2, 3]
        assert (await owner.ask("GET", f"/{made['id']}"))["failing_since"] is None


async def test_who_is_gone_is_told_nothing_more_until_it_is_enabled(
    replica: Replica, database: Database, operator: Bus, tenant: Tenant
) -> None:
    async with receiving(410) as receiver, receiving() as witness, owner_of(replica, tenant) as owner:
        made = await owner.add(receiver.url)
        path = f"/{made['id']}"
        event_id = await publish(operator, completed(tenant.org_id))
        failed = await owner.until_settled(made["id"], 1)
        assert failed["status"] == "failed"
        shown = await owner.ask("GET", path)
        assert (shown["status"], shown["disabled_reason"]) == ("disabled", "gone")
        async with database.transaction() as session:
            query = text("select payload from outbox where org_id = :org and subject like '%webhook_disabled%'")
            (row,) = (await session.execute(query, {"org": tenant.org_id})).all()
        told = WebhookDisabled.FromString(row.payload)
        assert (told.webhook_id, told.reason) == (made["id"], "gone")
        await owner.add(witness.url)
        await publish(operator, completed(tenant.org_id))
        # Whom it concerns is decided by then.
        await witness.until(1)
        await owner.ask("POST", f"{path}/test", 409)
        await owner.ask("POST", f"{path}/deliveries/{failed['id']}/redeliver", 409)
        enabled = await owner.ask("PATCH", path, json={"status": "enabled"})
        assert (enabled["status"], enabled["disabled_reason"]) == ("enabled", None)
        again = await owner.ask("POST", f"{path}/deliveries/{failed['id']}/redeliver", 202)
        assert again["status"] == "pending"
        assert [one.id for one in await receiver.until(2)] == [event_id] * 2
        await owner.until_settled(made["id"], 2)
        assert len(receiver.received) == 2


async def test_what_fails_for_three_days_is_disabled(replicas: Replicas, operator: Bus, tenant: Tenant) -> None:
    clock = Clock()
    async with (
        replicas(clock=clock) as replica,
        receiving(always=500) as receiver,
        owner_of(replica, tenant) as owner,
    ):
        made = await owner.add(receiver.url)
        await publish(operator, completed(tenant.org_id))
        await owner.until_settled(made["id"], 1)
        clock.ahead += DISABLE_AFTER
        settled = await owner.until_settled(made["id"], 2)
        assert settled["status"] == "failed"
        shown = await owner.ask("GET", f"/{made['id']}")
        assert (shown["status"], shown["disabled_reason"]) == ("disabled", "failing")


async def test_one_that_hangs_delays_nobody_else(replicas: Replicas, operator: Bus, tenant: Tenant) -> None:
    async with (
        # It is never given up: whoever had to wait for it would wait longer than this test may take.
        replicas(given_up_seconds=3_600) as replica,
        receiving(always=0) as hanging,
        receiving() as receiver,
        owner_of(replica, tenant) as owner,
    ):
        await owner.add(hanging.url)
        await owner.add(receiver.url)
        for _ in range(40):
            await publish(operator, completed(tenant.org_id))
        received = await receiver.until(40)
        assert len({one.id for one in received}) == 40
        assert 0 < len(hanging.received) <= 4


async def test_redirects_are_not_followed(replica: Replica, operator: Bus, tenant: Tenant) -> None:
    async with (
        receiving() as inside,
        receiving(302) as receiver,
        owner_of(replica, tenant) as owner,
    ):
        receiver.headers = [(b"location", inside.url.encode())]
        made = await owner.add(receiver.url)
        await publish(operator, completed(tenant.org_id))
        delivery = await owner.until_settled(made["id"], 1)
        assert (delivery["attempts"][0]["status_code"], delivery["attempts"][0]["error"]) == (302, "redirect")
        assert inside.received == []
