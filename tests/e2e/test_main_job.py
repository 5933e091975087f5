"""The main job as a client does it: through the gateway, on everything real."""

from __future__ import annotations

import asyncio
import io
import wave
from itertools import pairwise
from uuid import uuid4

import pytest

from tests.support.api import Answer, Api
from tests.support.polling import eventually
from tests.support.recordings import spoken_wav

TEXT = "The old lighthouse keeper counted 25 ships before the storm."


async def settled_usage(api: Api) -> dict[str, float]:
    """The usage so far, once everything that was completed is in it: a last generation shows that it is."""
    voice = (await api.voices())[0]
    start = (await api.get("/v1/usage")).json["totals"]["generations"]
    await api.speak("The last one before we count.", voice["id"])
    seen: list[dict[str, float]] = []

    async def still() -> bool:
        seen.append((await api.get("/v1/usage")).json["totals"])
        return seen[-1]["generations"] > start and seen[-5:].count(seen[-1]) == 5

    await eventually(still, what="usage that no longer grows")
    return seen[-1]


async def test_the_library_has_voices_of_every_category(api: Api) -> None:
    voices = await api.voices()
    assert len(voices) >= 20
    assert len({voice["category"] for voice in voices}) == 12
    assert {"en-US", "en-GB", "en-IN", "en-AU", "ru-RU"} <= {voice["language"] for voice in voices}
    assert not {"object_key", "org_id"} & set(voices[0])
    found = (await api.get("/v1/voices", params={"category": "MEDITATION", "variant": "SYSTEM"})).json["items"]
    assert found
    assert all(voice["category"] == "MEDITATION" for voice in found)


async def test_a_preview_plays(api: Api) -> None:
    voice = (await api.voices())[0]
    preview = await api.get(f"/v1/voices/{voice['id']}/audio")
    assert preview.status == 200
    assert preview.headers["Content-Type"] == "audio/mpeg"
    assert len(preview.content) > 5_000


@pytest.mark.parametrize("audio_format", ["mp3", "wav"])
async def test_a_text_becomes_audio_with_the_time_of_every_character(api: Api, audio_format: str) -> None:
    voice = (await api.voices())[0]
    generation = await api.speak(TEXT, voice["id"], format=audio_format)
    assert generation["status"] == "completed"
    assert generation["voice_name"] == voice["name"]
    audio = await api.get(generation["audio_url"])
    assert audio.status == 200
    if audio_format == "wav":
        with wave.open(io.BytesIO(audio.content)) as reader:
            duration = reader.getnframes() / reader.getframerate()
        assert duration == pytest.approx(generation["duration_seconds"], abs=1e-3)
    else:
        assert audio.headers["Content-Type"] == "audio/mpeg"
    part = await api.get(generation["audio_url"], headers={"Range": "bytes=10-19"})
    assert part.status == 206
    assert part.content == audio.content[10:20]
    same = await api.get(generation["audio_url"], headers={"If-None-Match": audio.headers["ETag"]})
    assert same.status == 304
    alignment = (await api.get(generation["alignment_url"])).json
    assert "".join(alignment["characters"]) == TEXT
    assert len(alignment["start_times"]) == len(alignment["end_times"]) == len(TEXT)
    assert all(before <= after for before, after in pairwise(alignment["start_times"]))
    assert all(start <= end for start, end in zip(alignment["start_times"], alignment["end_times"], strict=True))
    assert alignment["end_times"][-1] <= generation["duration_seconds"] + 1e-6


async def test_without_waiting_the_audio_is_refused_until_it_is_there(api: Api) -> None:
    voice = (await api.voices())[0]
    accepted = await api.post("/v1/generations", json={"text": TEXT * 40, "voice_id": voice["id"]})
    assert accepted.status == 202
    path = accepted.headers["Location"]
    early = await api.get(f"{path}/audio")
    assert early.status in (200, 409)
    if early.status == 409:
        assert early.json["code"] == "generation_unfinished"
        assert int(early.headers["Retry-After"]) >= 1
    finished = await api.until_completed(accepted.json["id"], within=30)
    assert finished["status"] == "completed"
    assert (await api.get(f"{path}/audio")).status == 200


async def test_a_completed_generation_is_billed_once_and_found_by_meaning_once(api: Api) -> None:
    before = await settled_usage(api)
    voice = (await api.voices())[0]
    text = f"My cat refuses to eat anything but fresh salmon, says note {uuid4().hex[:8]}."
    generation = await api.speak(text, voice["id"])

    async def billed() -> bool:
        totals = (await api.get("/v1/usage")).json["totals"]
        return bool(totals["characters"] >= before["characters"] + len(text))

    await eventually(billed, what="the usage")

    async def found() -> list[str]:
        query = {"query": "a picky feline and its favourite fish", "source_types": ["generation"], "limit": 100}
        items = (await api.post("/v1/search", json=query)).json["items"]
        return [item["source_id"] for item in items if item["source_id"] == generation["id"]]

    assert await eventually(found, what="the search result") == [generation["id"]]
    usage = (await api.get("/v1/usage")).json
    assert usage["totals"]["generations"] == before["generations"] + 1
    assert usage["totals"]["audio_seconds"] > before["audio_seconds"]


async def test_generations_outlive_their_voice(api: Api) -> None:
    created = await api.upload_voice(f"Anna {uuid4().hex[:8]}")
    assert created.status == 201, created.content
    voice = created.json
    generation = await api.speak("I was spoken by a voice that is gone now.", voice["id"])
    assert (await api.delete(f"/v1/voices/{voice['id']}")).status == 204
    assert (await api.get(f"/v1/voices/{voice['id']}")).status == 404

    async def forgotten() -> bool:
        return (await api.get(f"/v1/generations/{generation['id']}")).json["voice_id"] is None

    await eventually(forgotten, what="voice_id null")
    kept = (await api.get(f"/v1/generations/{generation['id']}")).json
    assert kept["voice_name"] == voice["name"]
    assert (await api.get(kept["audio_url"])).status == 200

    async def unfindable() -> bool:
        items = (await api.post("/v1/search", json={"query": voice["name"], "source_types": ["voice"]})).json["items"]
        return voice["id"] not in {item["source_id"] for item in items}

    await eventually(unfindable, what="the voice gone from search")
    assert (await api.get(f"/v1/voices/{voice['id']}/audio")).status == 404


async def test_a_deleted_generation_is_gone_everywhere(api: Api) -> None:
    voice = (await api.voices())[0]
    generation = await api.speak("Soon nobody will know that I was ever said.", voice["id"])
    assert (await api.delete(f"/v1/generations/{generation['id']}")).status == 204
    for path in ("", "/audio", "/alignment"):
        assert (await api.get(f"/v1/generations/{generation['id']}{path}")).status == 404


async def test_the_same_idempotency_key_makes_one_generation(api: Api) -> None:
    voice = (await api.voices())[0]
    key = {"Idempotency-Key": uuid4().hex}
    body = {"text": "Only once, please.", "voice_id": voice["id"]}

    async def ask() -> Answer:
        while (answer := await api.post("/v1/generations", json=body, headers=key)).status == 409:
            assert answer.json["code"] == "request_still_running"
            await asyncio.sleep(float(answer.headers["Retry-After"]) / 10)
        return answer

    answers = await asyncio.gather(*(ask() for _ in range(5)))
    assert len({(answer.status, answer.content) for answer in answers}) == 1
    assert answers[0].status == 202
    assert sorted("Idempotency-Replayed" in answer.headers for answer in answers) == [False] + [True] * 4
    made = answers[0].json["id"]
    assert (await api.until_completed(made, within=30))["status"] == "completed"
    listed = (await api.get("/v1/generations", params={"text": body["text"]})).json["items"]
    assert [item["id"] for item in listed] == [made]
    other = await api.post("/v1/generations", json={**body, "text": "Another."}, headers=key)
    assert other.status == 422
    assert other.json["code"] == "idempotency_key_reused"


async def test_a_stream_with_a_key_is_heard_again_and_spoken_once(api: Api) -> None:
    voice = (await api.voices())[0]
    key = {"Idempotency-Key": uuid4().hex}
    body = {"text": f"A stream that is heard again: {uuid4().hex}.", "voice_id": voice["id"]}
    first, again = [await api.post("/v1/generations/stream", json=body, headers=key) for _ in range(2)]
    assert (first.status, again.status) == (200, 200)
    assert first.headers["Generation-Id"] == again.headers["Generation-Id"]
    assert first.content == again.content
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    # Deleted, it is not spoken once more.
    await api.until_completed(first.headers["Generation-Id"], within=30)
    assert (await api.delete(f"/v1/generations/{first.headers['Generation-Id']}")).status == 204
    assert (await api.post("/v1/generations/stream", json=body, headers=key)).status == 404


async def test_two_hundred_at_once_all_complete_and_count_two_hundred(api: Api) -> None:
    before = await settled_usage(api)
    voice = (await api.voices())[0]
    mark = uuid4().hex
    slots = asyncio.Semaphore(16)

    async def one(number: int) -> dict[str, object]:
        async with slots:
            return await api.speak(f"Sentence number {number} of run {mark} is short.", voice["id"], wait=60)

    generations = await asyncio.gather(*(one(number) for number in range(200)))
    assert {generation["status"] for generation in generations} == {"completed"}

    async def counted() -> bool:
        totals = (await api.get("/v1/usage")).json["totals"]
        return bool(totals["generations"] == before["generations"] + 200)

    await eventually(counted, within=30, what="200 more generations in the usage")
    wanted = {generation["id"] for generation in generations}

    async def found() -> bool:
        query = {"query": f"Sentence of run {mark}", "source_types": ["generation"], "limit": 250}
        items = (await api.post("/v1/search", json=query)).json["items"]
        hits = [item["source_id"] for item in items if item["source_id"] in wanted]
        return len(hits) == len(set(hits)) == 200

    await eventually(found, within=60, what="200 search results")


async def test_bad_input_names_the_field_and_the_limit(api: Api) -> None:
    voice = (await api.voices())[0]["id"]
    good = {"text": "Fine.", "voice_id": voice}
    bad: list[tuple[dict[str, object], str]] = [
        ({"text": ""}, "text"),
        ({"text": "   \n"}, "text"),
        ({"text": "x" * 5001}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 10_001}, "top_k"),
        ({"repetition_penalty": 0.9}, "repetition_penalty"),
        ({"format": "aiff"}, "format"),
        ({"voice_id": str(uuid4())}, "voice_id"),
        ({"voice_id": "nobody"}, "voice_id"),
        ({"txet": "x"}, "txet"),
    ]
    for change, field in bad:
        answer = await api.post("/v1/generations", json={**good, **change})
        assert answer.status == 422, (change, answer.content)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        problem = answer.json
        assert problem["code"] == "invalid_request", problem
        assert problem["errors"][0]["field"] == field, problem
        assert problem["request_id"]
    unknown = await api.get(f"/v1/generations/{uuid4()}")
    assert (unknown.status, unknown.json["code"]) == (404, "generation_not_found")
    assert (await api.get("/v1/generations/nonsense")).status == 404
    huge = await api.post("/v1/generations", data=io.BytesIO(b"{" + b" " * 14_000_000 + b"}"))
    assert huge.status == 413


async def test_recordings_that_are_no_use_are_rejected_with_what_was_measured(api: Api) -> None:
    cases = {
        "Nobody": (b"this is not audio" * 100, "this is no wav"),
        "Too short": (spoken_wav(1), "3.1 s of speech; at least 10 s are needed"),
    }
    for name, (content, reason) in cases.items():
        made = await api.add_voice(name, content)
        assert (made.status, made.json["status"]) == (201, "processing")
        voice = await api.until_examined(made.json["id"])
        assert voice["status"] == "rejected"
        assert reason in voice["reasons"][0]["message"]
        refused = await api.post("/v1/generations", json={"text": "Hello.", "voice_id": voice["id"]})
        assert refused.status in (404, 409, 422), refused.content
        assert (await api.delete(f"/v1/voices/{voice['id']}")).status == 204


async def test_without_a_key_nobody_gets_in(api: Api) -> None:
    for key in (None, "ant_wrong", "x" * 500):
        async with Api(api.url, key) as stranger:
            for path in ("/v1/voices", "/v1/generations", f"/v1/generations/{uuid4()}/audio"):
                refused = await stranger.get(path)
                assert refused.status == 401
                assert refused.json["code"] == "unauthenticated"
