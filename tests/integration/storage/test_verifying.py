"""Verifying what is kept, having it made again, and what is abandoned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import aiohttp
import orjson
import pytest
from sqlalchemy.engine import make_url

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioExpired, ObjectsAbandoned
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, AudioLost
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Permanent
from libs.objectstore import ObjectStore, ObjectStoreUnavailable
from libs.objectstore.checking import Pace
from libs.web import Caller
from services.storage import usecases
from services.storage.usecases import Deps
from services.storage.usecases.media import delete_media
from services.storage.usecases.verifying import Flaw, Verified, order_repair, verify, verify_media
from tests.integration.storage.conftest import Client, Ledger, Studio, delivery, kept
from tests.integration.storage.sending import stored
from tests.support import media
from tests.support.outbox import UNSENT
from tests.support.servers import Servers

CONTENT = b"audio" * 100
FAST = 1e12


@pytest.fixture
async def administrator(servers: Servers, deps: Deps) -> AsyncIterator[Database]:
    """The service's database without row-level security."""
    url = str(make_url(servers.postgres_url).set(username="antiphon", database="antiphon_storage"))
    opened = Database(url, servers.secret("postgres_admin"), application="test", hooks=[UNSENT])
    yield opened
    await opened.close()


@dataclass(frozen=True)
class Inspector:
    """Verifies, and looks at what belongs to one organisation: other tests leave theirs."""

    administrator: Database
    deps: Deps
    org_id: UUID

    async def flaws(self) -> list[Flaw]:
        steps: list[Verified] = [one async for one in verify(self.administrator, self.deps.objects, Pace(FAST))]
        return [flaw for flaw in steps[-1].flaws if flaw.track.org_id == self.org_id]


@pytest.fixture
async def inspector(administrator: Database, deps: Deps, studio: Studio) -> Inspector:
    await kept(deps, replace(studio, org_id=new_id()), b"so that there is something")
    return Inspector(administrator, deps, studio.org_id)


async def test_what_is_missing_or_damaged_is_found_and_nothing_else(
    deps: Deps, studio: Studio, inspector: Inspector
) -> None:
    missing, damaged, cut, whole = [await kept(deps, studio, CONTENT + bytes([number])) for number in range(4)]
    await deps.objects.delete(missing.object_key)
    await deps.objects.put(damaged.object_key, CONTENT + b"x", "audio/mpeg")
    await deps.objects.put(cut.object_key, CONTENT, "audio/mpeg")
    conditions = {flaw.object_key: flaw.condition for flaw in await inspector.flaws()}
    assert conditions == {missing.object_key: "missing", damaged.object_key: "damaged", cut.object_key: "damaged"}
    assert whole.object_key not in conditions


async def test_the_times_of_a_long_text_are_looked_at_too(deps: Deps, studio: Studio, inspector: Inspector) -> None:
    gone, broken = [await studio.upload_long(CONTENT) for _ in range(2)]
    for event in (gone, broken):
        await usecases.keep_audio(deps, delivery(event))
    await deps.objects.delete(gone.alignment_key)
    await deps.objects.put(broken.alignment_key, b"{", "application/json")
    conditions = {flaw.object_key: flaw.condition for flaw in await inspector.flaws()}
    assert conditions == {gone.alignment_key: "missing", broken.alignment_key: "damaged"}


async def test_lost_audio_is_ordered_once_and_comes_back_under_the_same_id(
    deps: Deps, studio: Studio, client: Client, ledger: Ledger, inspector: Inspector
) -> None:
    event = await kept(deps, studio, CONTENT)
    (track,) = orjson.loads((await client.get("/v1/tracks")).body)["items"]
    await deps.objects.delete(event.object_key)
    (flaw,) = await inspector.flaws()
    now = datetime.now(UTC)
    assert await order_repair(inspector.administrator, flaw.track, now=now)
    assert not await order_repair(inspector.administrator, flaw.track, now=now)
    (lost,) = await ledger.events(AudioLost)
    assert (lost.generation_id, lost.object_key) == (event.generation_id, event.object_key)
    generation = f"/internal/generations/{event.generation_id}"
    for path in (f"/v1/tracks/{track['id']}/audio", f"{generation}/audio?made=true", f"{generation}/alignment"):
        answer = await client.get(path)
        assert (answer.status, orjson.loads(answer.body)["code"]) == (503, "audio_lost")
    # Made again it is another object, and of other samples.
    again = await studio.upload(CONTENT * 2, generation_id=event.generation_id)
    again.duration_seconds = 7.5
    await usecases.keep_audio(deps, delivery(again))
    restored = orjson.loads((await client.get(f"/v1/tracks/{track['id']}")).body)
    assert (restored["id"], restored["duration_seconds"]) == (track["id"], 7.5)
    assert (await client.get(f"/v1/tracks/{track['id']}/audio")).body == CONTENT * 2
    assert (await client.get(f"{generation}/audio")).body == CONTENT * 2
    assert await inspector.flaws() == []
    assert await ledger.count("lost_tracks") == 0


async def test_what_was_deleted_while_it_was_lost_stays_deleted(
    deps: Deps, studio: Studio, client: Client, ledger: Ledger, inspector: Inspector
) -> None:
    event = await kept(deps, studio, CONTENT)
    await deps.objects.delete(event.object_key)
    (flaw,) = await inspector.flaws()
    await order_repair(inspector.administrator, flaw.track, now=datetime.now(UTC))
    await usecases.remove_audio(deps, delivery(studio.deletion(event)))
    assert (await client.get(f"/internal/generations/{event.generation_id}/audio?made=true")).status == 404
    assert await ledger.count("lost_tracks") == 0


async def test_a_track_that_was_made_anew_meanwhile_is_not_lost(
    deps: Deps, studio: Studio, ledger: Ledger, inspector: Inspector
) -> None:
    event = await kept(deps, studio, CONTENT)
    await deps.objects.delete(event.object_key)
    (flaw,) = await inspector.flaws()
    now = datetime.now(UTC)
    await order_repair(inspector.administrator, flaw.track, now=now)
    again = await studio.upload(CONTENT + b"2", generation_id=event.generation_id)
    await usecases.keep_audio(deps, delivery(again))
    assert not await order_repair(inspector.administrator, flaw.track, now=now)
    assert len(await ledger.events(AudioLost)) == 1


async def test_what_is_abandoned_goes_unless_a_track_has_it(deps: Deps, studio: Studio) -> None:
    event = await kept(deps, studio, CONTENT)
    long = await studio.upload_long(b"long")
    await usecases.keep_audio(deps, delivery(long))
    stray = await studio.upload(b"left behind")
    keys = [event.object_key, long.object_key, long.alignment_key, stray.object_key]
    abandoned = ObjectsAbandoned(org_id=str(studio.org_id), object_keys=keys)
    for _ in range(2):
        await usecases.remove_abandoned(deps, delivery(abandoned))
    assert [key for key in keys if not await deps.objects.exists(key)] == [stray.object_key]


async def test_nobody_elses_objects_are_abandoned(deps: Deps, studio: Studio) -> None:
    event = await studio.upload(b"of somebody")
    abandoned = ObjectsAbandoned(org_id=str(new_id()), object_keys=[event.object_key])
    with pytest.raises(Permanent):
        await usecases.remove_abandoned(deps, delivery(abandoned))
    assert await deps.objects.exists(event.object_key)


async def test_expired_audio_goes_for_good_and_is_told_once(
    deps: Deps, studio: Studio, client: Client, ledger: Ledger
) -> None:
    event = await kept(deps, studio, CONTENT)
    expired = delivery(AudioExpired(audio_id=event.generation_id, org_id=event.org_id, object_keys=[event.object_key]))
    for _ in range(3):
        await usecases.expire_audio(deps, expired)
    assert not await deps.objects.exists(event.object_key)
    assert (await client.get(f"/internal/generations/{event.generation_id}/audio?made=true")).status == 404
    (told,) = await ledger.events(AudioDeleted)
    assert (told.generation_id, told.size_bytes) == (event.generation_id, len(CONTENT))
    # What comes late brings nothing back.
    again = await studio.upload(CONTENT, generation_id=event.generation_id)
    await usecases.keep_audio(deps, delivery(again))
    assert await ledger.count("audio_tracks") == 0
    assert not await deps.objects.exists(again.object_key)


async def test_in_a_bucket_without_any_audio_nothing_is_called_missing(
    deps: Deps, servers: Servers, administrator: Database, studio: Studio
) -> None:
    await kept(deps, studio, CONTENT)
    for bucket in ("antiphon-of-somebody-else", "antiphon-empty"):
        other = ObjectStore(replace(servers.object_store_address, bucket=bucket))
        if bucket.endswith("empty"):
            await other.ensure_bucket()
        try:
            with pytest.raises(ObjectStoreUnavailable):
                assert [one async for one in verify(administrator, other, Pace(FAST))] == []
        finally:
            await other.close()


async def flawed_media(inspector: Inspector) -> dict[str, str]:
    """What is wrong with the organisation's media, by their ids."""
    steps = [one async for one in verify_media(inspector.administrator, inspector.deps.objects, Pace(FAST))]
    mine = [flaw for flaw in steps[-1].flaws if flaw.kept.org_id == inspector.org_id]
    return {str(flaw.kept.id): flaw.condition for flaw in mine}


async def test_media_that_are_missing_or_damaged_are_found_and_nothing_else(
    client: Client, outside: aiohttp.ClientSession, inspector: Inspector
) -> None:
    objects = inspector.deps.objects
    missing, damaged, _whole = [await stored(client, outside, media.tone(seconds=1 + number)) for number in range(3)]
    assert await flawed_media(inspector) == {}
    keys = {
        one: (await objects.list_keys(f"media/orgs/{inspector.org_id}/{one}/", 9))[0]
        for one in (missing["id"], damaged["id"])
    }
    await objects.delete(keys[missing["id"]])
    content = await objects.get(keys[damaged["id"]])
    await objects.put(keys[damaged["id"]], content[:-1] + b"!", "audio/wav")
    assert await flawed_media(inspector) == {missing["id"]: "missing", damaged["id"]: "damaged"}
    # Their owner gives them up.
    for one in (missing, damaged):
        await delete_media(inspector.deps, Caller(org_id=inspector.org_id, key_id=new_id()), UUID(one["id"]))
    assert await flawed_media(inspector) == {}
