"""Webhooks: who is told what, how often, and how it is known to be us."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.messaging import Bus
from services.gateway.domain.webhooks import MAX_WEBHOOKS
from tests.integration.gateway.conftest import Tenant
from tests.integration.live.conftest import Replica, Replicas
from tests.integration.live.receiving import owner_of, receiving
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
