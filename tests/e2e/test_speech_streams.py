"""Speech that is heard while later sentences are still being spoken."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import orjson
import pytest

from libs.speech.encoding import parse_output_format
from tests.e2e.test_speech import LATE_SECONDS, alignment_of, audio_of, finished, one_voice
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.prose import prose
from tests.unit.speech.joined_audio import decode

LIVE = "/v1/generations/stream"


async def state(api: Api, generation_id: str) -> dict[str, Any]:
    generation: dict[str, Any] = (await api.get(f"/v1/generations/{generation_id}")).json
    return generation


@pytest.mark.parametrize("name", ["mp3", "wav", "opus", "flac", "pcm", "ulaw"])
async def test_audio_leaves_before_all_is_spoken_and_is_what_is_stored(api: Api, name: str) -> None:
    body = {"text": prose(3_000), "voice_id": await one_voice(api), "format": name}
    form = parse_output_format(name)
    async with api.stream(LIVE, json=body) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, form.content_type)
        received = bytearray(await response.content.readany())
        early = await state(api, response.headers["Generation-Id"])
        assert early["status"] in ("pending", "processing")
        received += await response.content.read()
    generation = await finished(api, early["id"])
    live, stored = decode(form, bytes(received)), decode(form, await audio_of(api, generation))
    assert len(live.samples) / live.rate == pytest.approx(generation["duration_seconds"], abs=LATE_SECONDS)
    shared = min(len(live.samples), len(stored.samples))
    assert abs(len(live.samples) - len(stored.samples)) <= LATE_SECONDS * live.rate
    assert abs(live.samples[:shared] - stored.samples[:shared]).max() < 0.02


@pytest.mark.parametrize("length", [200, 2_500], ids=["whole", "chunked"])
async def test_timestamps_come_with_the_audio_and_are_those_that_are_stored(api: Api, length: int) -> None:
    text = prose(length)
    body = {"text": text, "voice_id": await one_voice(api), "format": "pcm_16000"}
    audio, characters, starts, ends = bytearray(), "", [], []
    async with api.stream(f"{LIVE}/with-timestamps", json=body) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "application/x-ndjson")
        generation_id = response.headers["Generation-Id"]
        async for line in response.content:
            part = orjson.loads(line)
            audio += base64.b64decode(part["audio_base64"])
            if part["alignment"] is not None:
                characters += "".join(part["alignment"]["characters"])
                starts += part["alignment"]["start_times"]
                ends += part["alignment"]["end_times"]
    assert characters == text
    assert all(before <= after for before, after in pairwise(starts))
    assert ends[-1] <= len(audio) / 2 / 16_000
    generation = await finished(api, generation_id)
    stored = await alignment_of(api, generation)
    assert starts == pytest.approx(stored["start_times"], abs=1e-3)
    assert ends == pytest.approx(stored["end_times"], abs=1e-3)
    assert bytes(audio) == await audio_of(api, generation)


async def leave_early(api: Api, body: dict[str, Any], **query: str) -> str:
    """Begin a stream, hear a little of it, and go; return which generation it is."""
    async with api.stream(LIVE, json=body, params=query) as response:
        assert response.status == 200
        await response.content.readany()
        response.close()
        return str(response.headers["Generation-Id"])


async def test_who_goes_away_cancels_the_rest_if_that_was_asked_for(api: Api) -> None:
    body = {"text": prose(30_000), "voice_id": await one_voice(api), "mode": "job"}
    left = await leave_early(api, body, cancel_on_disconnect="true")

    async def canceled() -> bool:
        return bool((await state(api, left))["status"] == "canceled")

    await eventually(canceled, within=5, what="the end of what nobody hears")
    progress = (await state(api, left))["progress"]
    assert progress["chunks_done"] < progress["chunks_total"]


async def test_who_goes_away_finds_it_stored_otherwise(api: Api) -> None:
    left = await leave_early(api, {"text": prose(3_000), "voice_id": await one_voice(api)})
    assert await audio_of(api, await finished(api, left))


async def test_what_cannot_begin_is_answered_as_an_error(api: Api) -> None:
    voice = await one_voice(api)
    for path in (LIVE, f"{LIVE}/with-timestamps"):
        too_long = await api.post(path, json={"text": prose(5_001), "voice_id": voice})
        assert (too_long.status, too_long.json["errors"][0]["field"]) == (422, "text")
        assert 'mode": "job"' in too_long.json["detail"]
