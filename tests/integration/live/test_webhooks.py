"""Webhooks: who is told what, how often, and how it is known to be us."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.gateway.v1.events_pb2 import WebhookDisabled
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.database import Database
from libs.messaging import Bus
from services.gateway.domain.webhooks import DISABLE_AFTER, MAX_WEBHOOKS
from tests.integration.gateway.conftest import Tenant
from tests.integration.live.conftest import Replica, Replicas
from tests.integration.live.receiving import Clock, owner_of, receiving
from tests.integration.live.running import completed, listening, publish


async def test_an_event_arrives_signed_and_as_subscribers_are_told(
    replica: Replica, operator: Bus, tenant: Tenant
) -> None:
    async with (
        receiving() as receiver,
        owner_of(replica, tenant) as owner,
        listening(replica.url, tenant.headers) as listener,
    ):
        made = await owner.add(receiver.url, "generation.*")
        event_id = await publish(operator, completed(tenant.org_id))
        (received,) = await receiver.until(1)
        block = await listener.next()
        assert block is not None
        assert received.json == block.data
        assert received.id == event_id == received.json["id"]
        assert received.headers["content-type"] == "application/json"
        assert received.is_signed_by(made["secret"])
        assert received.is_fresh
        assert not received.is_signed_by("whsec_" + "A" * 44)
        delivery = await owner.until_settled(made["id"], 1)
        assert (delivery["status"], delivery["event_id"]) == ("delivered", event_id)
        assert delivery["attempts"][0]["status_code"] == 204
        assert delivery["attempts"][0]["error"] is None
        shown = await owner.ask("GET", f"/{made['id']}")
        assert "secret" not in shown
        assert shown["failing_since"] is None


async def test_a_webhook_is_told_what_it_wants_of_its_own_organisation(
    replica: Replica, operator: Bus, tenant: Tenant, other: Tenant
) -> None:
    async with (
        receiving() as receiver,
        receiving() as theirs,
        owner_of(replica, tenant) as owner,
        owner_of(replica, other) as another,
    ):
        await owner.add(receiver.url, "voice.deleted")
        await another.add(theirs.url)
        await publish(operator, completed(tenant.org_id))
        foreign = await publish(operator, completed(other.org_id))
        org_id = str(tenant.org_id)
        wanted = await publish(operator, VoiceDeleted(voice_id=org_id, org_id=org_id, object_keys=["secret/key"]))
        (received,) = await receiver.until(1)
        assert received.id == wanted
        assert b"secret/key" not in received.body
        assert [one.id for one in await theirs.until(1)] == [foreign]
        assert len(receiver.received) == len(theirs.received) == 1


async def test_while_a_secret_is_rotated_both_are_good(replica: Replica, operator: Bus, tenant: Tenant) -> None:
    async with receiving() as receiver, owner_of(replica, tenant) as owner:
        made = await owner.add(receiver.url)
        rotated = await owner.ask("POST", f"/{made['id']}/rotate-secret")
        await publish(operator, completed(tenant.org_id))
        (received,) = await receiver.until(1)
        assert received.is_signed_by(made["secret"])
        assert received.is_signed_by(rotated["secret"])
        again = await owner.ask("POST", f"/{made['id']}/rotate-secret")
        await publish(operator, completed(tenant.org_id))
        _, received = await receiver.until(2)
        assert not received.is_signed_by(made["secret"])
        assert received.is_signed_by(rotated["secret"])
        assert received.is_signed_by(again["secret"])


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


async def test_one_that_hangs_delays_nobody_else(replica: Replica, operator: Bus, tenant: Tenant) -> None:
    async with (
        receiving(always=0) as hanging,
        receiving() as receiver,
        owner_of(replica, tenant) as owner,
    ):
        dead = await owner.add(hanging.url)
        await owner.add(receiver.url)
        began = time.monotonic()
        for _ in range(40):
            await publish(operator, completed(tenant.org_id))
        received = await receiver.until(40)
        assert len({one.id for one in received}) == 40
        # Less than the time that the other one is waited for.
        assert time.monotonic() - began < 2.0
        await owner.until_settled(dead["id"], 0)
        assert len(hanging.received) <= 4


async def test_several_replicas_tell_each_event_once(replicas: Replicas, operator: Bus, tenant: Tenant) -> None:
    async with (
        replicas() as first,
        replicas(),
        receiving() as receiver,
        owner_of(first, tenant) as owner,
    ):
        made = await owner.add(receiver.url)
        published = {await publish(operator, completed(tenant.org_id)) for _ in range(100)}

        async def all_delivered() -> bool:
            return len(await owner.deliveries(made["id"], status="delivered", limit="100")) == 100

        await owner.until(all_delivered, 20)
        assert {one.id for one in receiver.received} == published
        assert len(receiver.received) == 100


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


async def test_a_test_arrives_whatever_is_wanted(replica: Replica, tenant: Tenant) -> None:
    async with receiving() as receiver, owner_of(replica, tenant) as owner:
        made = await owner.add(receiver.url, "voice.ready")
        sent = await owner.ask("POST", f"/{made['id']}/test", 202)
        (received,) = await receiver.until(1)
        assert received.json["type"] == "webhook.test"
        assert received.json["data"] == {"webhook_id": made["id"]}
        assert received.id == sent["event_id"]
        assert received.is_signed_by(made["secret"])


async def test_what_is_deleted_is_told_nothing(replica: Replica, operator: Bus, tenant: Tenant) -> None:
    async with receiving() as receiver, owner_of(replica, tenant) as owner:
        kept, gone = await owner.add(receiver.url), await owner.add(receiver.url + "/gone")
        await owner.ask("DELETE", f"/{gone['id']}", 204)
        await publish(operator, completed(tenant.org_id))
        await receiver.until(1)
        await owner.until_settled(kept["id"], 1)
        assert len(receiver.received) == 1
        assert [one["id"] for one in (await owner.ask("GET", ""))["items"]] == [kept["id"]]


async def test_another_organisations_webhook_is_not_there(
    replica: Replica, operator: Bus, tenant: Tenant, other: Tenant
) -> None:
    async with (
        receiving() as receiver,
        owner_of(replica, tenant) as owner,
        owner_of(replica, other) as stranger,
    ):
        made = await owner.add(receiver.url)
        await publish(operator, completed(tenant.org_id))
        delivery = await owner.until_settled(made["id"], 1)
        own = await stranger.add(receiver.url)
        for webhook_id in (made["id"], str(uuid4()), "no-id"):
            for method, path, body in (
                ("GET", "", None),
                ("PATCH", "", {"description": "mine"}),
                ("DELETE", "", None),
                ("POST", "/rotate-secret", None),
                ("POST", "/test", None),
                ("GET", "/deliveries", None),
                ("POST", f"/deliveries/{delivery['id']}/redeliver", None),
            ):
                refused = await stranger.ask(method, f"/{webhook_id}{path}", 404, json=body)
                assert refused["code"] == "webhook_not_found"
        refused = await stranger.ask("POST", f"/{own['id']}/deliveries/{delivery['id']}/redeliver", 404)
        assert refused["code"] == "delivery_not_found"
        assert len((await stranger.ask("GET", ""))["items"]) == 1
        assert (await owner.ask("GET", f"/{made['id']}"))["description"] == ""


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://10.0.0.1/hook"}, "url"),
        ({"url": "https://localhost.example:22/"}, "url"),
        ({"url": "https://example.com", "events": ["generation.finished"]}, "events"),
        ({"url": "https://example.com", "description": "x" * 501}, "description"),
        ({"url": "https://example.com", "description": "\0"}, "description"),
        ({"url": "https://example.com", "secret": "mine"}, "secret"),
        ({}, "url"),
    ],
)
async def test_what_is_wrong_is_named(replica: Replica, tenant: Tenant, body: dict[str, object], field: str) -> None:
    async with owner_of(replica, tenant) as owner:
        refused = await owner.ask("POST", "", 422, json=body)
        assert refused["errors"][0]["field"] == field


async def test_an_organisation_has_so_many(replica: Replica, tenant: Tenant, other: Tenant) -> None:
    async with owner_of(replica, tenant) as owner, owner_of(replica, other) as another:
        made = await asyncio.gather(
            *(
                owner.session.post("/v1/webhooks", json={"url": f"https://example.com/{number}"})
                for number in range(MAX_WEBHOOKS + 5)
            )
        )
        assert sorted(response.status for response in made) == [201] * MAX_WEBHOOKS + [409] * 5
        await another.add("https://example.com")


async def test_deliveries_are_listed_in_pages(replica: Replica, tenant: Tenant) -> None:
    async with receiving() as receiver, owner_of(replica, tenant) as owner:
        made = await owner.add(receiver.url)
        sent = [(await owner.ask("POST", f"/{made['id']}/test", 202))["id"] for _ in range(5)]
        listed: list[str] = []
        cursor: str | None = None
        while cursor is not None or not listed:
            query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = await owner.ask("GET", f"/{made['id']}/deliveries", params=query)
            listed += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
        assert listed == sent[::-1]
