"""Keys, tokens, texts, names and audio of users: in no log, trace, metric or error, whatever is asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import aiohttp
import pytest

from tests.support.api import Answer, Api
from tests.support.otlp import SpanReceiver
from tests.support.polling import eventually
from tests.support.recordings import spoken_wav
from tests.support.stack import Stack, running_stack

CANARY = f"kanarienvogel{uuid4().hex[:8]}"
JSON = {"Content-Type": "application/json"}
SPOKEN = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="module")
def receiver() -> Iterator[SpanReceiver]:
    with SpanReceiver.running(keeps_bodies=True) as running:
        yield running


@pytest.fixture(scope="module")
def watched(receiver: SpanReceiver) -> Iterator[Stack]:
    """A stack of which everything is traced and measured."""
    extra = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "ANTIPHON_ENGINE_PROCESSES": "2",
        "ANTIPHON_WEBHOOK_ALLOWED": "127.0.0.1",
    }
    with running_stack(extra) as stack:
        yield stack


def made(answer: Answer) -> dict[str, object]:
    assert answer.status in (200, 201, 202), answer.content
    body: dict[str, object] = answer.json
    return body


class Asked:
    """What was said in secret, and what was answered to what went wrong."""

    def __init__(self) -> None:
        self.secrets: dict[str, bytes] = {"the text": CANARY.encode()}
        self.refusals: list[bytes] = []

    def refused(self, answer: Answer) -> None:
        assert 400 <= answer.status < 500, (answer.status, answer.content)
        self.refusals.append(answer.content)


@pytest.mark.timeout(180)
async def test_what_users_say_is_told_to_nobody_else(watched: Stack, receiver: SpanReceiver) -> None:
    asked = Asked()
    asked.secrets["the key"] = watched.api_key.encode()
    async with Api(watched.url, watched.api_key) as api:
        voice_id = (await api.voices())[0]["id"]
        await _speak(api, voice_id, asked)
        await _keep(api, asked)
        await _invite(api, asked)
        await _listen(watched, api, voice_id, asked)
        await _fail(api, voice_id, asked)
    async with Api(watched.url, f"ant_{CANARY}") as stranger:
        asked.refused(await stranger.get(f"/v1/voices?query={CANARY}", headers={"X-Canary": CANARY}))

    async def measured() -> bool:
        return any(b"http.server.request.duration" in body for body in receiver.bodies)

    await eventually(measured, within=20, what="metrics to come")
    for name, secret in asked.secrets.items():
        found = [path for path, content in _logs(watched) if secret in content]
        assert not found, f"{name} is in {found}"
        spread = [body[max(0, at - 160) : at + 60] for body in receiver.bodies if (at := body.find(secret)) >= 0]
        assert not spread, f"{name} is in a trace or a metric: {spread[:3]}"
        assert not [one for one in asked.refusals if secret in one], f"{name} is in an error"


def _logs(stack: Stack) -> Sequence[tuple[str, bytes]]:
    files = [path for path in Path(stack.home / "logs").rglob("*") if path.is_file()]
    assert len(files) > 8
    return [(str(path.relative_to(stack.home)), path.read_bytes()) for path in files]


async def _speak(api: Api, voice_id: str, asked: Asked) -> None:
    generation = await api.speak(f"The {CANARY} sings.", voice_id)
    audio = (await api.get(f"/v1/generations/{generation['id']}/audio")).content
    middle = audio[len(audio) // 2 :][:48]
    asked.secrets |= {"the audio": middle, "the audio in Base64": base64.b64encode(middle)[:60]}
    made(await api.post("/v1/search", json={"query": f"who sings like a {CANARY}?"}))
    made(await api.get(f"/v1/generations?text={CANARY}"))
    for path in ("/openai/v1/audio/speech", "/v1/generations/stream"):
        body = {"input": CANARY, "voice": "alloy", "model": "tts-1"}
        if path.startswith("/v1"):
            body = {"text": f"{CANARY}. Streamed.", "voice_id": voice_id}
        assert (await api.post(path, json=body)).status == 200
    tracks = made(await api.get(f"/v1/tracks?generation_id={generation['id']}"))["items"]
    assert isinstance(tracks, list)
    signed = str(made(await api.get(f"/v1/tracks/{tracks[0]['id']}/url"))["url"])
    asked.secrets["a signature"] = parse_qs(urlsplit(signed).query)["X-Amz-Signature"][0].encode()


async def _keep(api: Api, asked: Asked) -> None:
    made(
        await api.post("/v1/documents", json={"title": CANARY, "text": f"The {CANARY} is yellow.", "source_id": CANARY})
    )
    made(
        await api.post("/v1/dictionaries", json={"name": CANARY, "rules": [{"phrase": CANARY, "replacement": "bird"}]})
    )
    made(await api.add_voice(CANARY, spoken_wav()))
    # A name that is taken: what the database says of it repeats the row.
    asked.refused(await api.add_voice(CANARY, spoken_wav()))
    form = aiohttp.FormData({"text": f"{SPOKEN} {CANARY}"})
    form.add_field("file", spoken_wav(1), filename=f"{CANARY}.wav")
    made(await api.post("/v1/alignments", data=form))
    content = f"About a {CANARY}.".encode()
    wanted = {
        "purpose": "document",
        "filename": f"{CANARY}.txt",
        "content_type": "text/plain",
        "size_bytes": len(content),
        "sha256": sha256(content).hexdigest(),
    }
    upload = made(await api.post("/v1/uploads", json=wanted))
    headers = upload["headers"]
    assert isinstance(headers, dict)
    asked.secrets["an upload's signature"] = parse_qs(urlsplit(str(upload["url"])).query)["X-Amz-Signature"][0].encode()
    async with (
        aiohttp.ClientSession() as session,
        session.put(str(upload["url"]), data=content, headers=headers) as put,
    ):
        assert put.status == 200
    made(await api.post(f"/v1/uploads/{upload['id']}/complete"))


async def _invite(api: Api, asked: Asked) -> None:
    invited = made(await api.post("/v1/invitations", json={"email": f"{CANARY}@example.org"}))
    asked.secrets["an invitation"] = str(invited["token"]).encode()
    joined = made(await api.post("/v1/invitations/accept", json={"token": invited["token"], "name": CANARY}))
    asked.secrets["a member's key"] = str(joined["key"]).encode()
    hook = made(await api.post("/v1/webhooks", json={"url": f"http://127.0.0.1:9/{CANARY}", "events": ["voice.*"]}))
    asked.secrets["a webhook's secret"] = str(hook["secret"]).encode()
    made(await api.post(f"/v1/webhooks/{hook['id']}/test"))


async def _listen(stack: Stack, api: Api, voice_id: str, asked: Asked) -> None:
    headers = {"xi-api-key": stack.api_key}
    path = f"/v1/text-to-speech/{voice_id}/stream-input?note={CANARY}"
    async with aiohttp.ClientSession(stack.url) as session, session.ws_connect(path, headers=headers) as socket:
        for text in (" ", f"The {CANARY} over a socket. ", ""):
            await socket.send_json({"text": text})
        async for message in socket:
            if json.loads(message.data).get("isFinal"):
                break
    asked.refused(await api.get(f"/v1/events?types={CANARY}"[:-1] + "x"))


async def _fail(api: Api, voice_id: str, asked: Asked) -> None:
    for body in (
        {"text": CANARY, "voice_id": str(uuid4())},
        {"text": CANARY, "voice_id": voice_id, "format": "mp4"},
        {"text": CANARY * 1000, "voice_id": voice_id},
        {"text": f"<speak><sing>{CANARY}", "voice_id": voice_id, "input_type": "ssml"},
    ):
        asked.refused(await api.post("/v1/generations", json=body))
    asked.refused(await api.post("/v1/generations", data=f'{{"text": "{CANARY}'.encode(), headers=JSON))
    asked.refused(await api.post("/v1/search", json={"query": [CANARY]}))
    for name in ("/v1/keys/current", "/v1/unknown"):
        with suppress(AssertionError):
            asked.refused(await api.delete(name))
