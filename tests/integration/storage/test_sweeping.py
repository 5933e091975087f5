"""What uploads leave behind goes, and nothing else does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from yarl import URL

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.contracts.antiphon.storage.v1.events_pb2 import MediaDeleted, MediaRemoved, OrganizationErased
from libs.ids import new_id
from libs.objectstore import ObjectStore
from services.storage import usecases
from services.storage.domain import afterwards
from services.storage.domain import uploads as domain
from services.storage.domain.keys import organization_prefixes
from services.storage.usecases import Deps, completing, erasing, sweeping
from tests.integration.storage.conftest import Client, Ledger, Studio, delivery
from tests.integration.storage.sending import WAVE, caller_of, complete, id_of, keys, opened, send, stored
from tests.support import media


def after(deps: Deps, span: timedelta) -> Deps:
    """The same, `span` later."""
    begun = deps.clock()

    def clock() -> datetime:
        return begun + span

    return replace(deps, clock=clock)


SOON_AFTER_THE_END = domain.LIFETIME + timedelta(seconds=1)
LONG_AFTER_THE_END = domain.LIFETIME + domain.SWEEP_DELAY + timedelta(seconds=1)


async def test_what_was_abandoned_vanishes(
    deps: Deps, client: Client, outside: Any, objects: ObjectStore, ledger: Ledger
) -> None:
    upload = await opened(client)
    await send(outside, upload)

    await sweeping.sweep_uploads(deps)
    await sweeping.sweep_uploads(after(deps, SOON_AFTER_THE_END))
    assert len(await keys(objects, client)) == 1

    with pytest.raises(domain.UploadExpired):
        await completing.complete_upload(after(deps, SOON_AFTER_THE_END), caller_of(client), id_of(upload), {})
    await sweeping.sweep_uploads(after(deps, LONG_AFTER_THE_END))
    assert await keys(objects, client) == []
    assert orjson.loads((await client.get(f"/v1/uploads/{upload['id']}")).body)["status"] == "expired"
    assert (await complete(client, upload)).status == 410

    await sweeping.sweep_uploads(after(deps, domain.LIFETIME + domain.KEPT + timedelta(seconds=1)))
    assert await ledger.count("uploads") == 0


async def test_unfinished_parts_vanish(
    deps: Deps, client: Client, outside: Any, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain, "ONE_PIECE_MOST_BYTES", 1000)
    upload = await opened(client)
    [part] = upload["parts"]
    async with outside.put(URL(part["url"], encoded=True), data=WAVE) as response:
        assert response.status == 200
    prefix = f"quarantine/orgs/{client.org_id}/"

    later = domain.PARTS_LIFETIME + domain.SWEEP_DELAY + timedelta(seconds=1)
    await sweeping.sweep_uploads(after(deps, later))

    assert await deps.parts.abort_all(prefix) == 0
    async with outside.put(URL(part["url"], encoded=True), data=WAVE) as response:
        assert response.status == 404


async def test_what_is_put_after_an_erasure_vanishes_whatever_is_at_work_that_long(
    deps: Deps, studio: Studio, objects: ObjectStore
) -> None:
    asked = OrganizationErasureRequested(org_id=str(studio.org_id), erasure_id=str(new_id()), round=1)
    await usecases.erase_organization(deps, delivery(asked))
    late = [f"{prefix}{new_id()}" for prefix in organization_prefixes(studio.org_id)]

    async def swept_at(span: timedelta) -> bool:
        for key in late:
            await objects.put(key, b"begun before, ended afterwards", "audio/wav")
        await erasing.sweep_erased(after(deps, span))
        left = [key for prefix in organization_prefixes(studio.org_id) for key in await objects.list_keys(prefix, 10)]
        assert left in ([], sorted(late))
        return not left

    assert await swept_at(timedelta(0))
    assert not await swept_at(afterwards.FIRST / 2)
    span = afterwards.FIRST + timedelta(seconds=5)
    while span < 2 * afterwards.LAST:
        assert await swept_at(span), span
        span = 2 * span + timedelta(seconds=5)
    assert not await swept_at(span), "what cannot be any more is not looked for"


async def test_what_is_sent_after_completion_vanishes_and_what_was_stored_stays(
    deps: Deps, client: Client, outside: Any, objects: ObjectStore
) -> None:
    upload = await opened(client)
    await send(outside, upload)
    assert (await complete(client, upload)).status == 200
    assert (await send(outside, upload))[0] == 200
    stray = f"media/orgs/{client.org_id}/{upload['id']}/{new_id()}"
    await objects.put(stray, b"a completion that was killed", "audio/wav")
    assert len(await keys(objects, client)) == 3

    await sweeping.sweep_uploads(after(deps, LONG_AFTER_THE_END))

    assert len(await keys(objects, client)) == 1
    assert (await client.get(f"/v1/media/{upload['id']}/content")).body == WAVE


async def test_the_sweeper_beside_a_completion(
    deps: Deps, client: Client, outside: Any, objects: ObjectStore, ledger: Ledger
) -> None:
    """Whoever settles the upload first wins, and the other leaves nothing: never a row without its object."""
    upload = await opened(client)
    await send(outside, upload)

    class Sweeping:
        """Looks into a file while it is swept."""

        async def probe(self, *args: Any) -> Any:  # Any: as the prober has them
            found = await deps.prober.probe(*args)
            await sweeping.sweep_uploads(after(deps, LONG_AFTER_THE_END))
            return found

    beside = replace(deps, prober=Sweeping())  # type: ignore[arg-type]  # all that is asked of it
    with pytest.raises(domain.UploadExpired):
        await completing.complete_upload(beside, caller_of(client), id_of(upload), {})

    assert await ledger.count("media_assets") == 0
    assert await keys(objects, client) == []


async def test_two_sweepers_share_the_work(deps: Deps, client: Client) -> None:
    await sweeping.sweep_uploads(after(deps, LONG_AFTER_THE_END))
    for _ in range(5):
        await opened(client)
    later = after(deps, LONG_AFTER_THE_END)

    swept = await asyncio.gather(*(sweeping.sweep_uploads(later) for _ in range(3)))

    assert sum(swept) == 5
    assert await sweeping.sweep_uploads(later) == 0


async def test_an_object_store_that_is_away_is_asked_again(
    deps: Deps, client: Client, outside: Any, objects: ObjectStore, unreachable: ObjectStore
) -> None:
    upload = await opened(client)
    await send(outside, upload)
    later = after(deps, LONG_AFTER_THE_END)
    with pytest.raises(OSError, match="cannot be reached"):
        await sweeping.sweep_uploads(replace(later, objects=unreachable))
    assert await sweeping.sweep_uploads(later) == 0

    assert await sweeping.sweep_uploads(after(deps, LONG_AFTER_THE_END + timedelta(minutes=16))) >= 1

    assert await keys(objects, client) == []


async def test_media_is_deleted_row_first(
    deps: Deps, client: Client, outside: Any, objects: ObjectStore, unreachable: ObjectStore, ledger: Ledger
) -> None:
    asset = await stored(client, outside)
    path = f"/v1/media/{asset['id']}"

    assert (await client.ask("DELETE", path)).status == 204

    assert (await client.get(path)).status == 404
    assert (await client.get(f"{path}/content")).status == 404
    [removed] = await ledger.events(MediaRemoved)
    told = delivery(removed)
    with pytest.raises(OSError, match="cannot be reached"):
        await usecases.remove_media_objects(replace(deps, objects=unreachable), told)
    assert await ledger.events(MediaDeleted) == []
    for _ in range(2):
        await usecases.remove_media_objects(deps, told)
    assert await keys(objects, client) == []
    [deleted] = await ledger.events(MediaDeleted)
    assert (deleted.owner_id, deleted.owner_type) == (asset["id"], "media")
    assert (await complete(client, asset)).status == 404


async def test_media_is_listed_by_kind_and_owner(client: Client, outside: Any) -> None:
    sound = await stored(client, outside, owner="project-7")
    picture = await stored(client, outside, media.image(), content_type="image/png", owner="project-7")
    text = await stored(client, outside, b"Words.", purpose="document", content_type="text/plain")

    async def listed(query: str) -> list[str]:
        answer = orjson.loads((await client.get(f"/v1/media{query}")).body)
        return [item["id"] for item in answer["items"]]

    assert await listed("") == [text["id"], picture["id"], sound["id"]]
    assert await listed("?kind=image") == [picture["id"]]
    assert await listed("?owner=project-7") == [picture["id"], sound["id"]]
    assert await listed("?owner=project-7&kind=audio") == [sound["id"]]
    first = orjson.loads((await client.get("/v1/media?limit=2")).body)
    assert await listed(f"?limit=2&cursor={first['next_cursor']}") == [sound["id"]]
    sent = await client.get(f"/v1/media/{text['id']}/content")
    assert sent.headers["content-disposition"].startswith("attachment;")
    signed = orjson.loads((await client.get(f"/v1/media/{picture['id']}/url?seconds=60")).body)
    async with outside.get(URL(signed["url"], encoded=True)) as response:
        assert (response.status, await response.read()) == (200, media.image())


async def test_an_organisation_goes_with_its_quarantine(
    deps: Deps, client: Client, outside: Any, objects: ObjectStore, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(client, outside)
    await send(outside, await opened(client))
    monkeypatch.setattr(domain, "ONE_PIECE_MOST_BYTES", 1000)
    [part] = (await opened(client))["parts"]
    asked = OrganizationErasureRequested(org_id=str(client.org_id), erasure_id=str(new_id()), round=1)

    await usecases.erase_organization(deps, delivery(asked))

    assert await keys(objects, client) == []
    assert [await ledger.count(table) for table in ("uploads", "media_assets")] == [0, 0]
    async with outside.put(URL(part["url"], encoded=True), data=WAVE) as response:
        assert response.status == 404
    [erased] = await ledger.events(OrganizationErased)
    assert (erased.counts["uploads"], erased.counts["media_assets"], erased.counts["objects"]) == (3, 1, 2)
