"""What a client may ask of one generation: formats, markup, dictionaries, timing, lists, downloads."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import Any
from uuid import uuid4

import pytest

from libs.speech.encoding import OutputFormat, output_formats, parse_output_format
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.prose import prose
from tests.unit.speech.joined_audio import decode

LATE_SECONDS = 0.06
"""What decoders make more or less of a file than is declared: a frame at each end."""


async def one_voice(api: Api, language: str = "en-US") -> str:
    return str(next(voice["id"] for voice in await api.voices() if voice["language"] == language))


async def finished(api: Api, generation_id: str, *, within: float = 30) -> dict[str, Any]:
    """The generation once it is completed."""
    generation = await api.until_completed(generation_id, within=within)
    assert generation["status"] == "completed", generation["error"]
    return generation


async def audio_of(api: Api, generation: dict[str, Any]) -> bytes:
    answer = await api.get(generation["audio_url"])
    assert answer.status == 200
    return answer.content


async def alignment_of(api: Api, generation: dict[str, Any], **query: str) -> Any:
    answer = await api.get(generation["alignment_url"], params=query)
    assert answer.status == 200, answer.content
    return answer.json if answer.headers["Content-Type"] == "application/json" else answer.content.decode()


async def refusal(api: Api, **fields: Any) -> dict[str, Any]:
    """The problem that a request is answered with."""
    body = {"text": "Fine.", "voice_id": await one_voice(api), **fields}
    answer = await api.post("/v1/generations", json=body)
    assert answer.headers["Content-Type"].startswith("application/problem+json"), answer.content
    problem: dict[str, Any] = answer.json
    return problem


def require_played(form: OutputFormat, audio: bytes, seconds: float) -> None:
    decoded = decode(form, audio)
    assert decoded.rate == form.sample_rate
    assert len(decoded.samples) / decoded.rate == pytest.approx(seconds, abs=LATE_SECONDS), form.name
    if decoded.declared_seconds is not None:
        assert decoded.declared_seconds == pytest.approx(seconds, abs=LATE_SECONDS), form.name


async def test_every_format_plays_as_long_as_is_declared(api: Api) -> None:
    voice = await one_voice(api)
    slots = asyncio.Semaphore(8)

    async def check(form: OutputFormat, text: str) -> None:
        async with slots:
            generation = await api.speak(text, voice, format=form.name)
            answer = await api.get(generation["audio_url"])
        assert generation["format"] == form.name
        assert answer.headers["Content-Type"] == form.content_type
        await asyncio.to_thread(require_played, form, answer.content, generation["duration_seconds"])

    short = prose(60)
    await asyncio.gather(*(check(form, short) for form in output_formats()))
    long = prose(1_500)
    names = ("mp3", "wav", "opus", "ogg", "flac", "aac", "pcm", "ulaw", "alaw", "mp3_44100_128")
    await asyncio.gather(*(check(parse_output_format(name), long) for name in names))


async def test_an_equal_request_is_given_and_not_billed(api: Api) -> None:
    voice, text = await one_voice(api), prose(300)
    first = await api.speak(text, voice)
    used = (await api.get("/v1/usage")).json["totals"]
    second = await api.speak(text, voice)
    assert first["id"] != second["id"]
    assert (first["characters_spoken"], first["characters_cached"]) == (300, 0)
    assert (second["characters_spoken"], second["characters_cached"]) == (0, 300)
    assert await audio_of(api, first) == await audio_of(api, second)
    anew = await api.speak(text, voice, cache=False)
    assert anew["characters_spoken"] == 300

    async def counted() -> bool:
        totals = (await api.get("/v1/usage")).json["totals"]
        return bool(totals["characters_cached"] >= used["characters_cached"] + 300)

    await eventually(counted, what="what was cached in the usage")
    assert (await api.delete(f"/v1/generations/{first['id']}")).status == 204
    assert await audio_of(api, second)


async def test_a_seed_gives_the_same_audio_again(api: Api) -> None:
    voice, text = await one_voice(api), prose(1_000)
    for length in (200, 1_000):
        spoken = [await api.speak(text[:length], voice, seed=7, cache=False, format="wav") for _ in range(2)]
        one, other = [await audio_of(api, generation) for generation in spoken]
        assert one == other
        assert spoken[0]["seed"] == 7


async def test_the_language_is_told_from_the_text(api: Api) -> None:
    text = "Das ist ein ganz gewöhnlicher deutscher Satz über das Wetter von morgen."
    spoken = await api.speak(text, await one_voice(api), language="auto")
    assert spoken["language"] == "de"
    assert (await refusal(api, text="12 12 12", language="auto"))["errors"][0]["field"] == "language"


async def test_markup_is_spoken_and_its_errors_say_where(api: Api) -> None:
    text = '<speak>One <break time="1s"/> two &amp; <sub alias="World Wide Web">WWW</sub>.</speak>'
    voice = await one_voice(api)
    spoken = await api.speak(text, voice, input_type="ssml")
    words = (await alignment_of(api, spoken, level="word"))["words"]
    assert [word["text"] for word in words][:2] == ["One", "two"]
    assert words[1]["start"] - words[0]["end"] > 0.9
    characters = await alignment_of(api, spoken)
    assert "".join(characters["characters"]) == text
    normalized = await alignment_of(api, spoken, normalized="true")
    assert "World Wide Web" in "".join(normalized["characters"])
    problem = await refusal(api, text="<speak>One\n<brake/> two</speak>", input_type="ssml")
    assert problem["code"] == "invalid_ssml"
    (error,) = problem["errors"]
    assert (error["position"], error["line"], error["column"]) == (11, 2, 1)


async def test_dictionaries_change_what_is_said_in_the_version_that_is_named(api: Api) -> None:
    voice = await one_voice(api)

    async def made(*rules: dict[str, str]) -> str:
        answer = await api.post("/v1/dictionaries", json={"name": f"Words {uuid4().hex[:8]}", "rules": rules})
        assert answer.status == 201, answer.content
        return str(answer.json["id"])

    async def said(*dictionaries: dict[str, Any]) -> str:
        spoken = await api.speak("The W3C met Siobhan and the BBC.", voice, dictionaries=dictionaries)
        return "".join((await alignment_of(api, spoken, normalized="true"))["characters"])

    one = await made({"phrase": "W3C", "replacement": "World Wide Web Consortium"})
    two = await made({"kind": "ipa", "phrase": "Siobhan", "replacement": "ʃɪˈvɔːn"})
    three = await made({"phrase": "BBC", "replacement": "radio"})
    plain = "The W3C met Siobhan and the BBC."
    assert await said({"id": one}) == plain.replace("W3C", "World Wide Web Consortium")
    in_all = plain.replace("W3C", "World Wide Web Consortium").replace("BBC", "radio")
    assert await said({"id": one}, {"id": two}, {"id": three}) == in_all
    added = await api.post(
        f"/v1/dictionaries/{one}/versions", json={"rules": [{"phrase": "W3C", "replacement": "web"}]}
    )
    assert (added.status, added.json["version"]) == (201, 2)
    assert await said({"id": one}) == plain.replace("W3C", "web")
    assert await said({"id": one, "version": 1}) == plain.replace("W3C", "World Wide Web Consortium")
    as_sounds = await api.speak(plain, voice, dictionaries=[{"id": two}], format="wav", seed=1)
    as_written = await api.speak(plain, voice, format="wav", seed=1)
    assert await audio_of(api, as_sounds) != await audio_of(api, as_written)
    assert (await refusal(api, dictionaries=4 * [{"id": one}]))["errors"][0]["field"].startswith("dictionaries")
    assert (await refusal(api, dictionaries=[{"id": one, "version": 9}]))["code"] == "dictionary_not_found"
    assert (await api.delete(f"/v1/dictionaries/{one}")).status == 204
    assert (await refusal(api, dictionaries=[{"id": one}]))["code"] == "dictionary_not_found"


async def test_an_alignment_has_every_level_and_format(api: Api) -> None:
    spoken = await api.speak("Hello there. It costs $25.50 today!", await one_voice(api))
    words = (await alignment_of(api, spoken, level="word"))["words"]
    assert [word["text"] for word in words] == ["Hello", "there", "It", "costs", "$25.50", "today"]
    sentences = (await alignment_of(api, spoken, level="sentence"))["sentences"]
    assert [sentence["text"] for sentence in sentences] == ["Hello there.", "It costs $25.50 today!"]
    assert (sentences[1]["start"], sentences[1]["end"]) >= (words[2]["start"], words[5]["end"])
    assert "00:00:00,000 --> " in await alignment_of(api, spoken, format="srt")
    assert (await alignment_of(api, spoken, format="vtt")).startswith("WEBVTT\n")
    assert "\\k" in await alignment_of(api, spoken, format="ass")
    for wrong in ({"level": "phrase"}, {"format": "docx"}):
        assert (await api.get(spoken["alignment_url"], params=wrong)).status == 422


async def test_lists_are_filtered(api: Api) -> None:
    voice, other = await one_voice(api, "en-GB"), await one_voice(api, "en-US")
    mark = uuid4().hex[:10]
    first = await api.speak(f"The first one of {mark}.", voice)
    second = await api.speak(f"The SECOND one of {mark}.", other)
    job = await api.speak(f"A job of {mark}.", other, mode="job")

    async def listed(**query: str) -> list[str]:
        answer = await api.get("/v1/generations", params={"text": mark, **query})
        assert answer.status == 200, answer.content
        return [item["id"] for item in answer.json["items"]]

    assert await listed() == [job["id"], second["id"], first["id"]]
    assert await listed(text=f"second one of {mark}") == [second["id"]]
    assert await listed(voice_id=voice) == [first["id"]]
    assert await listed(mode="job") == [job["id"]]
    assert await listed(status="failed") == []
    assert await listed(status="completed", mode="interactive") == [second["id"], first["id"]]
    assert await listed(since=second["created_at"]) == [job["id"], second["id"]]
    assert await listed(until=second["created_at"]) == [first["id"]]
    assert await listed(text=f"first%{mark}") == []  # no wildcard
    page = (await api.get("/v1/generations", params={"text": mark, "limit": "2"})).json
    assert await listed(limit="2", cursor=page["next_cursor"]) == [first["id"]]


async def test_attempts_tell_where_the_time_went(api: Api) -> None:
    spoken = await api.speak(prose(100), await one_voice(api))
    (attempt,) = (await api.get(f"/v1/generations/{spoken['id']}/attempts")).json["items"]
    assert attempt["model_id"] == "espeak-ng"
    assert attempt["error"] is None
    assert {"queue_seconds", "synthesis_seconds", "encoding_seconds", "upload_seconds"} <= attempt["timings"].keys()
    assert all(0 <= seconds < 60 for seconds in attempt["timings"].values())


async def test_several_are_downloaded_as_one_file(api: Api) -> None:
    voice = await one_voice(api)
    spoken = [await api.speak(prose(80), voice, format=name) for name in ("mp3", "wav", "opus")]
    ids = [generation["id"] for generation in spoken]
    answer = await api.post("/v1/generations/download", json={"ids": ids})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        packed = [archive.read(name) for name in archive.namelist() if name.endswith((".mp3", ".wav", ".opus"))]
    assert sorted(packed) == sorted([await audio_of(api, generation) for generation in spoken])
    unknown = await api.post("/v1/generations/download", json={"ids": [*ids, str(uuid4())]})
    assert (unknown.status, unknown.json["code"]) == (404, "generation_not_found")


async def test_models_say_what_they_can_do(api: Api) -> None:
    models = {model["id"]: model for model in (await api.get("/v1/models")).json["items"]}
    espeak = models["espeak-ng"]
    assert espeak["ready"]
    assert set(espeak["honours"]) == {"speed", "pitch", "volume", "seed"}
    assert {"en-us", "de", "hi", "ar", "cmn"} <= set(espeak["languages"])
