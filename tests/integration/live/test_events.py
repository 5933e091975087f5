"""GET /v1/events: who is told what."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp
import orjson
import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered, GenerationFailed
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted, VoiceReady
from libs.ids import SYSTEM_ORG, new_id
from libs.messaging import Bus
from libs.messaging.envelope import CONSUMER_HEADER
from services.gateway.domain.access import ALL_SCOPES, Credential
from services.gateway.domain.live import SUBSCRIBERS, TooManySubscribers
from services.gateway.domain.public_events import TYPES, Wanted
from services.gateway.usecases.subscriber import Subscriber
from tests.integration.gateway.conftest import Tenant
from tests.integration.live.conftest import Replica, Replicas
from tests.integration.live.running import completed, listening, publish
from tests.support import broker


async def test_an_event_is_told_in_its_public_form(replica: Replica, operator: Bus, tenant: Tenant) -> None:
    generation_id = uuid4()
    async with listening(replica.url, tenant.headers) as listener:
        event_id = await publish(operator, completed(tenant.org_id, generation_id))
        block = await listener.next()
    assert block is not None
    assert (block.event, block.data["type"], block.data["id"]) == ("generation.completed",) * 2 + (event_id,)
    assert block.data["data"]["generation_id"] == str(generation_id)
    assert block.data["data"]["characters"] == 29
    assert block.data["data"]["voice_id"] is None
    said = orjson.dumps(block.data).decode()
    assert str(tenant.org_id) not in said
    assert "nobody else" not in said


async def test_an_organisation_is_told_nothing_of_another(
    replica: Replica, operator: Bus, tenant: Tenant, other: Tenant
) -> None:
    async with (
        listening(replica.url, tenant.headers) as listener,
        listening(replica.url, other.headers) as theirs,
    ):
        foreign = [await publish(operator, completed(other.org_id)) for _ in range(5)]
        own = await publish(operator, completed(tenant.org_id))
        foreign.append(await publish(operator, completed(other.org_id)))
        assert await listener.ids(1) == [own]
        assert await theirs.ids(6) == foreign
        place = listener.last_event_id
    # Nor is it when it comes back with an id of theirs.
    last = await publish(operator, completed(tenant.org_id))
    async with listening(replica.url, tenant.headers, theirs.last_event_id) as listener:
        assert await listener.ids(1) == [last]
    assert place is not None
    assert place != theirs.last_event_id


async def test_what_is_not_for_clients_is_not_told(replica: Replica, operator: Bus, tenant: Tenant) -> None:
    org_id = str(tenant.org_id)
    async with listening(replica.url, tenant.headers) as listener:
        await publish(operator, AudioRendered(org_id=org_id, generation_id=org_id, object_key="secret/key"))
        await publish(operator, VoiceReady(voice_id=org_id, org_id=str(SYSTEM_ORG)))
        await publish(operator, completed(tenant.org_id), {CONSUMER_HEADER: "embedding-index_generation"})
        event = VoiceDeleted(voice_id=org_id, org_id=org_id, object_keys=["secret/key"])
        await publish(operator, event)
        block = await listener.next()
    assert block is not None
    assert block.data["data"] == {"voice_id": org_id}


async def test_filters_choose_by_type_and_by_what_it_is_about(replica: Replica, operator: Bus, tenant: Tenant) -> None:
    org_id, wanted = str(tenant.org_id), uuid4()
    async with (
        listening(replica.url, tenant.headers, types="voice.*,generation.failed") as by_type,
        listening(replica.url, tenant.headers, generation_id=str(wanted)) as by_generation,
    ):
        await publish(operator, completed(tenant.org_id))
        about = await publish(operator, completed(tenant.org_id, wanted))
        failed = await publish(operator, GenerationFailed(generation_id=org_id, org_id=org_id, code="x"))
        voice = await publish(operator, VoiceDeleted(voice_id=org_id, org_id=org_id))
        assert set(await by_type.ids(2)) == {failed, voice}
        assert await by_generation.ids(1) == [about]


async def test_unknown_types_and_ids_are_refused(replica: Replica, tenant: Tenant) -> None:
    async with aiohttp.ClientSession(replica.url, headers=tenant.headers) as session:
        for query in ("types=generation.finished", "types=,", "generation_id=7", "voice_id=%27"):
            async with session.get(f"/v1/events?{query}") as response:
                assert response.status == 422, query
                problem = await response.json()
                assert problem["errors"][0]["field"] == query.partition("=")[0]


async def test_coming_back_misses_nothing_and_hears_nothing_twice(
    replica: Replica, operator: Bus, tenant: Tenant, other: Tenant
) -> None:
    async with listening(replica.url, tenant.headers) as listener:
        first = [await publish(operator, completed(tenant.org_id)) for _ in range(3)]
        assert await listener.ids(3) == first
    missed = []
    for _ in range(20):
        missed.append(await publish(operator, completed(tenant.org_id)))
        await publish(operator, completed(other.org_id))
    async with listening(replica.url, tenant.headers, listener.last_event_id) as listener:
        later = await publish(operator, completed(tenant.org_id))
        assert await listener.ids(21) == [*missed, later]


async def test_another_replica_goes_on_where_one_stopped(
    replica: Replica, replicas: Replicas, operator: Bus, tenant: Tenant
) -> None:
    told: list[str] = []
    published: list[str] = []
    place: str | None = None

    async def keep_publishing() -> None:
        published.extend([await publish(operator, completed(tenant.org_id)) for _ in range(300)])

    async with replicas() as second, listening(replica.url, tenant.headers) as begun:
        place = begun.last_event_id
        publishing = asyncio.create_task(keep_publishing())
        for turn in range(6):
            url = (replica, second)[turn % 2].url
            async with listening(url, tenant.headers, place) as listener:
                told += await listener.ids(50)
                place = listener.last_event_id
        await publishing
    assert told == published


async def test_what_is_kept_no_more_is_read_from_the_streams(replicas: Replicas, operator: Bus, tenant: Tenant) -> None:
    async with replicas() as first, listening(first.url, tenant.headers) as listener:
        pass
    missed = [await publish(operator, completed(tenant.org_id)) for _ in range(3)]
    for _ in range(2100):
        await operator.client.publish("evt.voice.nothing_known.v1", b"")
    await operator.client.flush()
    await publish(operator, completed(tenant.org_id))
    async with replicas() as second:
        await second.feed.until_ready()
        async with listening(second.url, tenant.headers, listener.last_event_id) as listener:
            assert (await listener.ids(4))[:3] == missed


async def test_an_id_whose_events_are_gone_is_answered_by_a_reset(
    replicas: Replicas, operator: Bus, tenant: Tenant
) -> None:
    async with replicas() as first, listening(first.url, tenant.headers) as listener:
        pass
    await publish(operator, completed(tenant.org_id))
    await operator.jetstream.purge_stream("EVT_GENERATION")
    async with replicas() as second, listening(second.url, tenant.headers, listener.last_event_id) as listener:
        block = await listener.next()
        assert block is not None
        assert (block.event, block.data["data"]["reason"]) == ("reset", "expired")


async def test_an_id_of_nothing_known_is_answered_by_a_reset(replica: Replica, operator: Bus, tenant: Tenant) -> None:
    async with listening(replica.url, tenant.headers, "no-id-of-ours") as listener:
        block = await listener.next()
        assert block is not None
        assert (block.event, block.data["data"]["reason"]) == ("reset", "unknown_id")
        assert block.id
        event_id = await publish(operator, completed(tenant.org_id))
        assert await listener.ids(1) == [event_id]


async def test_a_stream_that_is_lost_is_told(
    replica: Replica, operator: Bus, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after that whatever happens, be it in the same millisecond, to which events are dated."""
    jetstream = operator.jetstream
    found_lost: list[datetime] = []

    def late_in_its_millisecond() -> datetime:
        now = datetime.now(UTC)
        found_lost.append(now.replace(microsecond=now.microsecond // 1000 * 1000 + 999))
        return found_lost[-1]

    monkeypatch.setattr(replica.feed, "_clock", late_in_its_millisecond)
    async with listening(replica.url, tenant.headers) as listener:
        await publish(operator, completed(tenant.org_id))
        assert await listener.next()
        before = listener.last_event_id
        config = (await jetstream.stream_info("EVT_GENERATION")).config
        await jetstream.delete_stream("EVT_GENERATION")
        await jetstream.add_stream(config)
        block = await listener.next()
        assert block is not None
        assert (block.event, block.data["data"]["reason"]) == ("reset", "stream_lost")
        event_id = new_id(found_lost[-1])
        await broker.publish(operator, completed(tenant.org_id), event_id=event_id)
        assert await listener.ids(1) == [str(event_id)]
    async with listening(replica.url, tenant.headers, before) as listener:
        block = await listener.next()
        assert block is not None
        assert block.event == "reset"


async def test_an_organisation_may_have_so_many_listeners(replica: Replica, tenant: Tenant, other: Tenant) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(SUBSCRIBERS["free"]):
            await stack.enter_async_context(listening(replica.url, tenant.headers))
        async with (
            aiohttp.ClientSession(replica.url, headers=tenant.headers) as session,
            session.get("/v1/events") as response,
        ):
            assert response.status == 429
            assert (await response.json())["code"] == "too_many_subscribers"
            # Listeners are no requests in flight, of which the plan allows less than there are of these.
        async with (
            aiohttp.ClientSession(replica.url, headers=tenant.headers) as session,
            session.get("/v1/events?types=none") as response,
        ):
            assert response.status == 422
        await stack.enter_async_context(listening(replica.url, other.headers))


async def test_those_who_come_at_once_are_counted_too(replica: Replica) -> None:
    async def takes_all(_piece: bytes, _more: bool) -> None:
        return

    credential = Credential(uuid4(), uuid4(), None, ALL_SCOPES, "free")
    many = [Subscriber(credential, Wanted(TYPES), takes_all, lambda: None) for _ in range(SUBSCRIBERS["free"] + 1)]
    for _ in many:
        await replica.subscriptions.until_ready(credential)
    for subscriber in many[:-1]:
        replica.subscriptions.enter(subscriber)
    with pytest.raises(TooManySubscribers):
        replica.subscriptions.enter(many[-1])
    for subscriber in many[:-1]:
        replica.subscriptions.leave(subscriber)
    await replica.subscriptions.until_ready(credential)


async def test_a_revoked_key_ends_its_subscriptions(replica: Replica, tenant: Tenant, other: Tenant) -> None:
    async with (
        listening(replica.url, tenant.headers) as listener,
        listening(replica.url, other.headers) as theirs,
    ):
        async with (
            aiohttp.ClientSession(replica.url, headers=tenant.headers) as session,
            session.delete(f"/v1/keys/{tenant.key_id}") as response,
        ):
            assert response.status == 204, await response.text()
        assert await listener.next() is None
        assert any("API key" in comment for comment in listener.comments)
        replica.subscriptions.stop()
        assert await theirs.next() is None
        assert any("restart" in comment for comment in theirs.comments)
