"""What becomes of a file when its client says that it is there: verified, and kept or rejected."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import aiohttp
import orjson
import pytest
from yarl import URL

from libs.contracts.antiphon.storage.v1.events_pb2 import MediaStored
from libs.objectstore import ObjectMissing, ObjectStore, ObjectStoreUnavailable, PartsUploads
from services.storage.domain import uploads as domain
from services.storage.store.uploads import get_upload
from services.storage.usecases import Deps, completing
from tests.integration.storage.conftest import Client, Ledger
from tests.integration.storage.sending import WAVE, caller_of, complete, id_of, keys, opened, send, stored
from tests.support import media


@pytest.mark.parametrize(
    ("content", "changes", "measured"),
    [
        (b"GIF89a, or so it says", {}, "this is no wav, mp3, m4a, flac, ogg or webm file"),
        (media.image(), {}, "this is no wav, mp3, m4a, flac, ogg or webm file"),
        (WAVE, {"content_type": "image/png"}, "this is no png, jpeg, webp or gif file"),
        *(
            (media.pdf(1, "secret", one), {"purpose": "document", "content_type": "application/pdf"}, "a password")
            for one in media.IDENTIFIERS
        ),
        *(
            (
                media.pdf(1, "secret", protection=one),
                {"purpose": "document", "content_type": "application/pdf"},
                "a password",
            )
            for one in media.PROTECTIONS
        ),
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


@pytest.mark.parametrize("protection", media.PROTECTIONS)
async def test_a_document_that_opens_without_a_password_is_kept(
    client: Client, outside: aiohttp.ClientSession, protection: str
) -> None:
    content = media.pdf(3, "", protection=protection)
    asset = await stored(client, outside, content, purpose="document", content_type="application/pdf")
    assert asset["pages"] == 3


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
            await asyncio.Event().wait()

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
