"""ElevenLabs' `stream-input`, message by message."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.stack import Stack

TEXT = "The quick brown fox jumps over the lazy dog. "


def _url(stack: Stack, query: str = "output_format=pcm_16000", prefix: str = "/elevenlabs") -> str:
    return f"{stack.url.replace('http', 'ws', 1)}{prefix}/v1/text-to-speech/Emma/stream-input?{query}"


def _key(stack: Stack) -> dict[str, str]:
    return {"xi-api-key": stack.api_key}


async def _say(socket: ClientConnection, text: str, **also: Any) -> None:  # Any: JSON
    await socket.send(json.dumps({"text": text, **also}))


async def _hear(socket: ClientConnection) -> tuple[list[dict[str, Any]], ConnectionClosed]:  # Any: JSON
    """Return all that comes until the end, and how it ended."""
    heard = []
    while True:
        try:
            heard.append(json.loads(await socket.recv()))
        except ConnectionClosed as end:
            return heard, end


@pytest.mark.parametrize("prefix", ["/elevenlabs", ""])
async def test_a_text_is_spoken_with_its_times_until_the_client_ends_it(stack: Stack, prefix: str) -> None:
    async with connect(_url(stack, prefix=prefix), additional_headers=_key(stack)) as socket:
        await _say(socket, " ")
        await _say(socket, TEXT)
        await _say(socket, "")
        heard, end = await _hear(socket)
    assert end.rcvd is not None
    assert end.rcvd.code == 1000
    *parts, last = heard
    assert last["isFinal"] is True
    assert last["audio"] is None
    assert len(b"".join(base64.b64decode(part["audio"]) for part in parts)) > 2 * 32_000
    aligned = [part["alignment"] for part in parts if part["alignment"]]
    assert "".join(character for one in aligned for character in one["chars"]).strip() == TEXT.strip()
    starts = [start for one in aligned for start in one["charStartTimesMs"]]
    assert starts == sorted(starts)
    assert all(len(one["chars"]) == len(one["charStartTimesMs"]) == len(one["charDurationsMs"]) for one in aligned)


async def test_a_flush_is_heard_while_the_connection_stays_open(stack: Stack) -> None:
    async with connect(_url(stack), additional_headers=_key(stack)) as socket:
        for number in range(2):
            await _say(socket, f"Short number {number}. ", flush=True)
            assert json.loads(await socket.recv())["audio"]
        await _say(socket, "")
        heard, _ = await _hear(socket)
    assert heard[-1]["isFinal"] is True


async def test_a_long_text_is_heard_before_it_has_ended(stack: Stack) -> None:
    async with connect(_url(stack), additional_headers=_key(stack)) as socket:
        await _say(socket, " ", generation_config={"chunk_length_schedule": [50]})
        await _say(socket, TEXT * 2)
        assert json.loads(await socket.recv())["audio"]
        await _say(socket, "", voice_settings=None)
        heard, _ = await _hear(socket)
    assert heard[-1]["isFinal"] is True


@pytest.mark.parametrize("name", ["xi_api_key", "xi-api-key", "authorization"])
async def test_the_key_may_come_with_the_first_message(stack: Stack, name: str) -> None:
    key = f"Bearer {stack.api_key}" if name == "authorization" else stack.api_key
    async with connect(_url(stack)) as socket:
        await _say(socket, " ", **{name: key})
        await _say(socket, "Let me in. ", flush=True)
        assert json.loads(await socket.recv())["audio"]


async def test_without_a_key_nothing_is_spoken(stack: Stack) -> None:
    async with connect(_url(stack)) as socket:
        await _say(socket, "Let me in. ", flush=True)
        (told,), end = await _hear(socket)
    assert told["error"] == "invalid_api_key"
    assert end.rcvd is not None
    assert end.rcvd.code == 1008


async def test_a_wrong_key_in_the_header_opens_nothing(stack: Stack) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(_url(stack), additional_headers={"xi-api-key": "ant_wrong"})
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["detail"]["status"] == "invalid_api_key"


@pytest.mark.parametrize("first", [True, False], ids=["in the header", "in the first message"])
async def test_a_key_without_the_scope_opens_nothing(stack: Stack, reading_key: str, first: bool) -> None:
    if first:
        with pytest.raises(InvalidStatus) as refused:
            await connect(_url(stack), additional_headers={"xi-api-key": reading_key})
        assert refused.value.response.status_code == 403
        return
    async with connect(_url(stack)) as socket:
        await _say(socket, "Let me in. ", xi_api_key=reading_key, flush=True)
        (told,), _ = await _hear(socket)
    assert told["error"] == "missing_permissions"


async def test_who_is_silent_is_told_and_cut_off(stack: Stack) -> None:
    async with connect(_url(stack, "inactivity_timeout=1"), additional_headers=_key(stack)) as socket:
        await _say(socket, "Hello ")
        (told,), end = await _hear(socket)
    assert told["error"] == "input_timeout_exceeded"
    assert end.rcvd is not None
    assert end.rcvd.code == 1008


@pytest.mark.parametrize(
    ("said", "error"),
    [("no JSON", "invalid_request"), ('{"text": 7}', "invalid_request"), ('{"text": "Hi ", "flush": true}', None)],
)
async def test_what_is_no_message_ends_it(stack: Stack, said: str, error: str | None) -> None:
    query = "output_format=mp3_22050_32" if error else "output_format=mp3_1_1"
    async with connect(_url(stack, query), additional_headers=_key(stack)) as socket:
        await socket.send(said)
        (told,), end = await _hear(socket)
    assert told["error"] == "invalid_request"
    assert end.rcvd is not None
    assert end.rcvd.code == 1008


async def test_a_message_has_at_most_a_mebibyte(stack: Stack) -> None:
    async with connect(_url(stack), additional_headers=_key(stack)) as socket:
        await _say(socket, "x" * 2**20)
        heard, end = await _hear(socket)
    assert heard == []
    assert end.rcvd is not None
    assert end.rcvd.code == 1009


async def test_elsewhere_there_is_no_websocket(stack: Stack) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{stack.url.replace('http', 'ws', 1)}/v1/voices", additional_headers=_key(stack))
    assert refused.value.response.status_code == 404
