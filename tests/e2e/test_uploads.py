"""A file from a client to the object store, and through the gateway back."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Any

import aiohttp

from tests.support import media
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.recordings import spoken_wav
from tests.support.stack import Stack
from tests.support.uploads import announced, put, uploaded


async def test_an_upload_through_the_gateway(api: Api) -> None:
    content = media.tone("mp3", "libmp3lame", seconds=2)

    asset = await uploaded(api, content, filename="line.wav", content_type="audio/wav")

    assert (asset["content_type"], asset["sha256"]) == ("audio/mpeg", hashlib.sha256(content).hexdigest())
    answer = await api.get(f"/v1/media/{asset['id']}/content", headers={"Range": "bytes=0-9"})
    assert (answer.status, answer.content) == (206, content[:10])
    assert (await api.post(f"/v1/uploads/{asset['id']}/complete")).json == asset
    assert (await api.delete(f"/v1/media/{asset['id']}")).status == 204
    assert (await api.get(f"/v1/media/{asset['id']}")).status == 404


async def test_what_is_not_what_it_says_is_rejected(api: Api) -> None:
    content = b"RIFF, or so it says"
    opened = await api.post("/v1/uploads", json=announced(content))
    assert await put(opened.json, content) == 200

    answer = await api.post(f"/v1/uploads/{opened.json['id']}/complete")

    assert (answer.status, answer.json["code"]) == (422, "upload_rejected")


async def test_signatures_reach_no_log(api: Api, stack: Stack) -> None:
    opened = await api.post("/v1/uploads", json=announced(b"nothing comes"))
    signature = re.search(r"X-Amz-Signature=([0-9a-f]{64})", opened.json["url"])
    assert signature is not None
    request_id = opened.headers["x-request-id"]

    async def logged() -> list[Any] | None:
        logs = [path.read_text(errors="replace") for path in (stack.home / "logs").iterdir() if path.is_file()]
        return logs if any(request_id in log for log in logs) else None

    logs = await eventually(logged, within=15, what="the request to be logged")
    assert logs
    for log in logs:
        assert signature[1] not in log
        assert "X-Amz-Signature" not in log


async def test_a_voice_of_an_upload(api: Api) -> None:
    content = await asyncio.to_thread(spoken_wav)
    asset = await uploaded(api, content, purpose="voice_sample")
    form = aiohttp.FormData({"name": f"Uploaded {asset['id']}", "upload_ids": asset["id"]}, default_to_multipart=True)

    made = await api.post("/v1/voices", data=form)

    assert made.status == 201, made.content
    assert (await api.delete(f"/v1/media/{asset['id']}")).status == 204
    voice = await api.until_examined(made.json["id"])
    assert voice["status"] == "ready"
    samples = (await api.get(f"/v1/voices/{voice['id']}/samples")).json["items"]
    assert [sample["size_bytes"] for sample in samples] == [len(content)]
    assert (await api.get(f"/v1/voices/{voice['id']}/audio")).content == content
    assert (await api.delete(f"/v1/voices/{voice['id']}")).status == 204
