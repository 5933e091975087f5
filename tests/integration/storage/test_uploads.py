"""Files that clients send to the object store themselves: announced, verified, kept or rejected."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import pytest
from yarl import URL

from libs.contracts.antiphon.storage.v1.events_pb2 import MediaStored
from libs.ids import new_id
from libs.objectstore import ObjectMissing, ObjectStore, ObjectStoreUnavailable, PartsUploads
from libs.web import Caller
from services.storage.domain import uploads as domain
from services.storage.store.uploads import get_upload
from services.storage.usecases import Deps, completing
from tests.integration.storage.conftest import Answer, Client, Ledger
from tests.support import media
from tests.support.uploads import announced

WAVE = media.tone()


async def post(client: Client, path: str, body: Any = None) -> Answer:  # Any: JSON
    headers = client.identity() | {"content-type": "application/json"}
    async with client.session.post(path, data=orjson.dumps(body) if body is not None else None, headers=headers) as got:
        return Answer(got.status, {name.lower(): value for name, value in got.headers.items()}, await got.read())


async def opened(client: Client, content: bytes = WAVE, **changes: Any) -> dict[str, Any]:  # Any: JSON
    answer = await post(client, "/v1/uploads", announced(content, **changes))
    assert answer.status == 201, answer.body
    upload: dict[str, Any] = orjson.loads(answer.body)
    return upload


@pytest.fixture
async def outside() -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who has no key of the object store."""
    async with aiohttp.ClientSession() as session:
        yield session


async def send(
    outside: aiohttp.ClientSession, upload: dict[str, Any], content: bytes = WAVE, **headers: str
) -> tuple[int, bytes]:
    sent = upload["headers"] | {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in sent.items() if name.lower() != "content-length"}
    async with outside.put(URL(upload["url"], encoded=True), data=content, headers=sent) as response:
        return response.status, await response.read()


async def complete(client: Client, upload: dict[str, Any], body: Any = None) -> Answer:  # Any: JSON
    return await post(client, f"/v1/uploads/{upload['id']}/complete", body)


async def keys(objects: ObjectStore, client: Client) -> list[str]:
    """What the organisation has in the object store."""
    return [
        key for kind in ("media", "quarantine") for key in await objects.list_keys(f"{kind}/orgs/{client.org_id}/", 100)
    ]


async def stored(client: Client, outside: aiohttp.ClientSession, content: bytes = WAVE, **changes: Any) -> Any:
    """Media of the client's organisation. Any: JSON."""
    upload = await opened(client, content, **changes)
    assert (await send(outside, upload, content))[0] == 200
    answer = await complete(client, upload)
    assert answer.status == 200, answer.body
    return orjson.loads(answer.body)


async def test_a_file_is_sent_verified_and_served(
    client: Client, outside: aiohttp.ClientSession, objects: ObjectStore, ledger: Ledger
) -> None:
    upload = await opened(client, owner="project-7")
    assert upload["status"] == "pending"
    assert (await send(outside, upload))[0] == 200

    answer = await complete(client, upload)

    assert answer.status == 200, answer.body
    asset = orjson.loads(answer.body)
    assert (asset["id"], asset["kind"], asset["content_type"]) == (upload["id"], "audio", "audio/wav")
    assert asset["duration_seconds"] == pytest.approx(1.0, abs=0.01)
    content = await client.get(f"/v1/media/{asset['id']}/content", range="bytes=4-7")
    assert (content.status, content.body) == (206, WAVE[4:8])
    assert [key.split("/")[0] for key in await keys(objects, client)] == ["media"]
    [event] = await ledger.events(MediaStored)
    assert (event.media_id, event.kind, event.owner, event.size_bytes) == (asset["id"], "audio", "project-7", len(WAVE))
    assert event.object_key in await keys(objects, client)


async def test_the_object_store_takes_only_what_was_announced(client: Client, outside: aiohttp.ClientSession) -> None:
    upload = await opened(client)

    assert (await send(outside, upload, WAVE + b"x"))[0] == 403
    assert (await send(outside, upload, WAVE[:-1]))[0] == 403
    assert (await send(outside, upload, WAVE, Content_Type="text/html"))[0] == 403
    assert (await send(outside, upload, WAVE[:-1] + b"x"))[0] == 400
    async with outside.get(URL(upload["url"], encoded=True)) as response:
        assert response.status == 403
    other = upload | {"url": upload["url"].replace(upload["id"], str(new_id()))}
    assert (await send(outside, other))[0] == 403

    assert (await complete(client, upload)).status == 409


@pytest.mark.parametrize(
    ("content", "changes", "measured"),
    [
        (b"GIF89a, or so it says", {}, "this is no wav, mp3, m4a, flac, ogg or webm file"),
        (media.image(), {}, "this is no wav, mp3, m4a, flac, ogg or webm file"),
        (WAVE, {"content_type": "image/png"}, "this is no png, jpeg, webp or gif file"),
        (media.pdf(1, "secret"), {"purpose": "document", "content_type": "application/pdf"}, "a password"),
        (b"\x00\x01", {"purpose": "document", "content_type": "text/plain"}, "is a NUL"),
    ],
)
async def test_what_is_not_what_it_says_is_rejected_for_good(
    client: Client,
    outside: aiohttp.ClientSession,
    objects: ObjectStore,
    ledger: Ledger,
    content: bytes,
    changes: dict[str, str],
    measured: str,
) -> None:
    upload = await opened(client, content, **changes)
    assert (await send(outside, upload, content))[0] == 200

    answer = await complete(client, upload)

    assert answer.status == 422
    problem = orjson.loads(answer.body)
    assert problem["code"] == "upload_rejected"
    assert measured in problem["reason"]
    assert await keys(objects, client) == []
    seen = orjson.loads((await client.get(f"/v1/uploads/{upload['id']}")).body)
    assert (seen["status"], seen["url"]) == ("rejected", None)
    assert measured in seen["reason"]
    assert (await complete(client, upload)).status == 422
    assert await ledger.count("media_assets") == 0
    assert await ledger.events(MediaStored) == []


@pytest.mark.parametrize(
    ("sent", "measured"),
    [
        (WAVE[:-2], f"{len(WAVE) - 2} bytes arrived; {len(WAVE)} were announced"),
        (WAVE[:-1] + b"x", hashlib.sha256(WAVE[:-1] + b"x").hexdigest()),
    ],
)
async def test_a_store_that_takes_anything_is_not_believed(
    client: Client, objects: ObjectStore, sent: bytes, measured: str
) -> None:
    """Not every S3 refuses another size or SHA-256 than was signed: what was put there by other ways is read back."""
    upload = await opened(client)
    await objects.put(f"quarantine/orgs/{client.org_id}/{upload['id']}", sent, "audio/wav")

    answer = await complete(client, upload)

    assert answer.status == 422
    assert measured in orjson.loads(answer.body)["reason"]
    assert await keys(objects, client) == []


async def test_completing_again_and_at_the_same_time(
    client: Client, outside: aiohttp.ClientSession, objects: ObjectStore, ledger: Ledger
) -> None:
    upload = await opened(client)
    assert (await send(outside, upload))[0] == 200

    answers = await asyncio.gather(*(complete(client, upload) for _ in range(6)))
    again = await complete(client, upload)

    assert [answer.status for answer in answers] == [200] * 6
    assert {answer.body for answer in (*answers, again)} == {again.body}
    assert len(await ledger.events(MediaStored)) == 1
    assert len(await keys(objects, client)) == 1


async def test_what_is_sent_after_completion_changes_nothing(
    deps: Deps, client: Client, outside: aiohttp.ClientSession, objects: ObjectStore
) -> None:
    asset = await stored(client, outside)
    other = WAVE[:-1] + b"x"
    await objects.put(f"quarantine/orgs/{client.org_id}/{asset['id']}", other, "audio/wav")

    assert (await complete(client, asset)).status == 200

    content = await client.get(f"/v1/media/{asset['id']}/content")
    assert content.body == WAVE


async def test_what_is_overwritten_while_it_is_verified_is_not_kept(
    deps: Deps, client: Client, outside: aiohttp.ClientSession, objects: ObjectStore
) -> None:
    upload = await opened(client)
    assert (await send(outside, upload))[0] == 200

    class Overwriting:
        """Looks into a file while its owner puts another in its place."""

        async def probe(self, *args: Any) -> Any:  # Any: as the prober has them
            await objects.put(f"quarantine/orgs/{client.org_id}/{upload['id']}", b"something else", "audio/wav")
            return await deps.prober.probe(*args)

    hostile = replace(deps, prober=Overwriting())  # type: ignore[arg-type]  # all that is asked of it
    asset = await completing.complete_upload(hostile, caller_of(client), id_of(upload), {})

    assert await objects.get(asset.object_key) == WAVE


async def test_nothing_half_is_left_by_a_completion_that_was_killed(
    deps: Deps, client: Client, outside: aiohttp.ClientSession, objects: ObjectStore, ledger: Ledger
) -> None:
    upload = await opened(client)
    assert (await send(outside, upload))[0] == 200
    copied = asyncio.Event()

    class Hanging:
        """Never finds anything out."""

        async def probe(self, *_args: Any) -> Any:  # Any: as the prober has them
            copied.set()
            await asyncio.sleep(60)

    hanging = replace(deps, prober=Hanging())  # type: ignore[arg-type]  # all that is asked of it
    running = asyncio.create_task(completing.complete_upload(hanging, caller_of(client), id_of(upload), {}))
    await copied.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await ledger.count("media_assets") == 0
    assert [key.split("/")[0] for key in await keys(objects, client)] == ["quarantine"]
    assert (await complete(client, upload)).status == 200


async def test_without_the_object_store_nothing_is_called_stored(
    deps: Deps, client: Client, outside: aiohttp.ClientSession, unreachable: ObjectStore, ledger: Ledger
) -> None:
    upload = await opened(client)
    assert (await send(outside, upload))[0] == 200

    with pytest.raises(OSError, match="cannot be reached"):
        await completing.complete_upload(replace(deps, objects=unreachable), caller_of(client), id_of(upload), {})

    assert await ledger.count("media_assets") == 0
    async with deps.database.transaction(client.org_id) as session:
        known = await get_upload(session, client.org_id, id_of(upload))
    assert known is not None
    assert known.status is domain.Status.PENDING
    assert (await complete(client, upload)).status == 200


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "ONE_PIECE_MOST_BYTES", 5 * domain.MIB)
    monkeypatch.setattr(domain, "PART_BYTES", 5 * domain.MIB)


class Unsaid:
    """Uploads in parts, of which the first completion is done and its answer lost."""

    def __init__(self, inner: PartsUploads) -> None:
        self.inner = inner
        self.completions = 0

    async def complete(self, key: str, upload_id: str, etags: Mapping[int, str]) -> None:
        self.completions += 1
        if self.completions == 1:
            await self.inner.complete(key, upload_id, etags)
            raise ObjectStoreUnavailable("the answer was lost")
        raise ObjectMissing  # as stores say of an upload that is over

    async def abort_all(self, prefix: str) -> int:
        return await self.inner.abort_all(prefix)


@pytest.mark.usefixtures("small_parts")
async def test_parts_whose_completion_was_done_and_not_answered_are_complete(
    deps: Deps, client: Client, outside: aiohttp.ClientSession
) -> None:
    content = media.tone(seconds=115)
    upload = await opened(client, content)
    etags = {}
    for part in upload["parts"]:
        piece = content[(part["number"] - 1) * 5 * domain.MIB :][: part["size_bytes"]]
        async with outside.put(URL(part["url"], encoded=True), data=BytesIO(piece)) as response:
            etags[part["number"]] = response.headers["ETag"]
    unsaid = Unsaid(deps.parts)
    once = replace(deps, parts=unsaid)  # type: ignore[arg-type]  # all that is asked of it
    asset = await completing.complete_upload(once, caller_of(client), id_of(upload), etags)
    assert (asset.sha256, unsaid.completions) == (hashlib.sha256(content).hexdigest(), 2)


@pytest.mark.usefixtures("small_parts")
async def test_parts(client: Client, outside: aiohttp.ClientSession, objects: ObjectStore) -> None:
    content = media.tone(seconds=130)
    upload = await opened(client, content)
    assert [part["size_bytes"] for part in upload["parts"]] == [5 * domain.MIB, len(content) - 5 * domain.MIB]
    sent = []
    for part in upload["parts"]:
        piece = content[(part["number"] - 1) * 5 * domain.MIB :][: part["size_bytes"]]
        async with outside.put(URL(part["url"], encoded=True), data=BytesIO(piece + b"x")) as refused:
            assert refused.status == 403
        async with outside.put(URL(part["url"], encoded=True), data=BytesIO(piece)) as response:
            assert response.status == 200
            sent.append({"number": part["number"], "etag": response.headers["ETag"]})

    missing = await complete(client, upload, {"parts": sent[:1]})
    wrong = await complete(client, upload, {"parts": [sent[0], sent[1] | {"etag": "0" * 32}]})
    answer = await complete(client, upload, {"parts": sent})

    assert (missing.status, wrong.status) == (409, 409)
    assert "these are not named: 2" in orjson.loads(missing.body)["detail"]
    assert answer.status == 200, answer.body
    assert orjson.loads(answer.body)["duration_seconds"] == pytest.approx(130, abs=0.1)
    assert (await complete(client, upload, {"parts": sent})).body == answer.body
    assert len(await keys(objects, client)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"size_bytes": 30 * domain.MIB, "purpose": "voice_sample"}, "size_bytes"),
        ({"size_bytes": 3 * 2**30, "content_type": "video/mp4"}, "size_bytes"),
        ({"content_type": "text/html"}, "content_type"),
        ({"sha256": "abc"}, "sha256"),
        ({"filename": ""}, "filename"),
        ({"size_bytes": 0}, "size_bytes"),
        ({"what": "is this"}, "what"),
    ],
)
async def test_what_is_not_taken_is_said_before_it_is_sent(client: Client, changes: dict[str, Any], field: str) -> None:
    answer = await post(client, "/v1/uploads", announced(WAVE, **changes))

    assert answer.status == 422
    assert field in orjson.loads(answer.body)["detail"]


async def test_other_organisations_know_nothing_of_it(
    client: Client, stranger: Client, outside: aiohttp.ClientSession
) -> None:
    upload = await opened(client)
    path = f"/v1/uploads/{upload['id']}"
    assert [
        (await stranger.get(path)).status,
        (await stranger.ask("DELETE", path)).status,
        (await complete(stranger, upload)).status,
    ] == [404] * 3

    await send(outside, upload)
    await complete(client, upload)

    path = f"/v1/media/{upload['id']}"
    for method, behind in (("GET", ""), ("GET", "/content"), ("HEAD", "/content"), ("GET", "/url"), ("DELETE", "")):
        assert (await stranger.ask(method, path + behind)).status == 404
    assert orjson.loads((await stranger.get("/v1/media")).body)["items"] == []
    assert (await client.get(path)).status == 200


async def test_so_many_uploads_are_open_and_no_more(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "MOST_PENDING", 3)
    answers = await asyncio.gather(*(post(client, "/v1/uploads", announced(WAVE)) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 201, 201, 409, 409]

    [first, *_] = [orjson.loads(answer.body) for answer in answers if answer.status == 201]
    assert (await client.ask("DELETE", f"/v1/uploads/{first['id']}")).status == 204

    assert (await post(client, "/v1/uploads", announced(WAVE))).status == 201


async def test_what_was_given_up_is_gone(client: Client, outside: aiohttp.ClientSession, objects: ObjectStore) -> None:
    upload = await opened(client)
    await send(outside, upload)
    path = f"/v1/uploads/{upload['id']}"

    assert (await client.ask("DELETE", path)).status == 204

    assert await keys(objects, client) == []
    assert (await client.get(path)).status == 404
    assert (await complete(client, upload)).status == 404
    asset = await stored(client, outside)
    assert (await client.ask("DELETE", f"/v1/uploads/{asset['id']}")).status == 409


async def test_urls_are_signed_anew_while_they_may_be_used(
    client: Client, stranger: Client, outside: aiohttp.ClientSession
) -> None:
    upload = await opened(client)
    path = f"/v1/uploads/{upload['id']}"

    seen = orjson.loads((await client.get(path)).body)
    anew = orjson.loads((await post(client, f"{path}/urls")).body)

    assert (seen["url"], seen["headers"]) == (None, None)
    assert (await post(stranger, f"{path}/urls")).status == 404
    assert (await send(outside, anew))[0] == 200
    assert (await complete(client, upload)).status == 200
    assert orjson.loads((await post(client, f"{path}/urls")).body)["url"] is None


def caller_of(client: Client) -> Caller:
    return Caller(org_id=client.org_id, key_id=new_id())


def id_of(upload: dict[str, Any]) -> UUID:  # Any: JSON
    return UUID(upload["id"])
