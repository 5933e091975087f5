"""Alignments of every length: by character, word and sentence, as subtitles, and of what was read in a text's place."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import Alignment, AudioRendered, Normalized
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioRejected
from libs.ids import new_id
from libs.speech.encoding import parse_output_format
from services.storage import usecases
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Client, Ledger, Studio, delivery

SPOKEN = "Hi you. Bye!"
TIMES = [number / 10 for number in range(len(SPOKEN))]


async def keep(deps: Deps, studio: Studio, *, is_long: bool = False, spoken: str = SPOKEN) -> AudioRendered:
    event = await (studio.upload_long(spoken=spoken) if is_long else studio.upload(spoken=spoken))
    await usecases.keep_audio(deps, delivery(event))
    return event


async def read(client: Client, event: AudioRendered, query: str = "") -> Any:  # Any: JSON
    answer = await client.get(f"/internal/generations/{event.generation_id}/alignment{query}")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.body)


def timeline(text: str) -> Normalized:
    times = [number / 10 for number in range(len(text))]
    return Normalized(text=text, alignment=Alignment(start_times=times, end_times=times))


@pytest.mark.parametrize("is_long", [False, True], ids=["in a row", "in an object"])
async def test_every_level_of_an_alignment(deps: Deps, studio: Studio, client: Client, is_long: bool) -> None:
    event = await keep(deps, studio, is_long=is_long)
    characters = await read(client, event)
    assert characters == await read(client, event, "?level=character&format=json")
    assert "".join(characters["characters"]) == SPOKEN
    assert characters["start_times"] == pytest.approx(TIMES)
    assert len(characters["end_times"]) == len(SPOKEN)
    words = (await read(client, event, "?level=word"))["words"]
    assert [(word["text"], word["start_index"], word["end_index"]) for word in words] == [
        ("Hi", 0, 2),
        ("you", 3, 6),
        ("Bye", 8, 11),
    ]
    assert (words[1]["start"], words[1]["end"]) == pytest.approx((0.3, 0.6))
    sentences = (await read(client, event, "?level=sentence"))["sentences"]
    assert [sentence["text"] for sentence in sentences] == ["Hi you.", "Bye!"]


@pytest.mark.parametrize("is_long", [False, True], ids=["in a row", "in an object"])
@pytest.mark.parametrize(
    ("form", "media_type", "beginning"),
    [
        ("srt", "application/x-subrip; charset=utf-8", "1\n00:00:00,000 --> "),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> "),
        ("ass", "text/x-ssa; charset=utf-8", "[Script Info]\n"),
    ],
)
async def test_subtitles(
    deps: Deps, studio: Studio, client: Client, is_long: bool, form: str, media_type: str, beginning: str
) -> None:
    event = await keep(deps, studio, is_long=is_long)
    answer = await client.get(f"/internal/generations/{event.generation_id}/alignment?format={form}")
    assert (answer.status, answer.headers["content-type"]) == (200, media_type)
    shown = answer.body.decode().replace("\r\n", "\n").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    assert shown.startswith(beginning)
    assert "you." in re.sub(r"\{.*?\}|<.*?>", "", shown)


async def test_what_is_no_level_and_no_format_is_refused(deps: Deps, studio: Studio, client: Client) -> None:
    event = await keep(deps, studio)
    for query in ("level=phoneme", "format=docx", "normalized=maybe"):
        answer = await client.get(f"/internal/generations/{event.generation_id}/alignment?{query}")
        assert answer.status == 422, query


async def test_another_organisation_gets_no_alignment(deps: Deps, studio: Studio, stranger: Client) -> None:
    for event in (await keep(deps, studio), await keep(deps, studio, is_long=True)):
        assert (await stranger.get(f"/internal/generations/{event.generation_id}/alignment")).status == 404


async def test_what_was_read_in_place_of_a_text_has_times_of_its_own(
    deps: Deps, studio: Studio, client: Client
) -> None:
    event = await studio.upload(spoken="Dr. Who")
    event.normalized.CopyFrom(timeline("Doctor"))
    await usecases.keep_audio(deps, delivery(event))
    assert "".join((await read(client, event))["characters"]) == "Dr. Who"
    assert "".join((await read(client, event, "?normalized=true"))["characters"]) == "Doctor"
    assert (await read(client, event, "?level=word&normalized=true"))["words"][0]["text"] == "Doctor"


async def test_a_text_that_was_read_as_it_is_has_the_same_normalized(
    deps: Deps, studio: Studio, client: Client
) -> None:
    event = await keep(deps, studio)
    assert await read(client, event, "?normalized=true") == await read(client, event)


@pytest.mark.parametrize("is_long", [False, True], ids=["in a row", "in an object"])
async def test_markup_is_timed_but_never_shown(deps: Deps, studio: Studio, client: Client, is_long: bool) -> None:
    sent, heard = "<speak>Hi you.</speak>", timeline("Hi you.")
    if is_long:
        normalized = {
            "text": heard.text,
            "start_times": list(heard.alignment.start_times),
            "end_times": list(heard.alignment.end_times),
        }
        event = await studio.upload_long(spoken=sent, normalized=normalized, input_type="ssml")
    else:
        event = await studio.upload(spoken=sent)
        event.normalized.CopyFrom(heard)
    event.input_type = "ssml"
    await usecases.keep_audio(deps, delivery(event))
    assert "".join((await read(client, event))["characters"]) == sent
    assert [word["text"] for word in (await read(client, event, "?level=word"))["words"]] == ["Hi", "you"]
    answer = await client.get(f"/internal/generations/{event.generation_id}/alignment?format=vtt")
    assert b"speak" not in answer.body


WRONG = {
    "lengths": (["Hi"], [0.0], [0.1], "not one start and one end time"),
    "an end before its start": (["Hi"], [0.0, 0.2], [0.1, 0.1], "ends before it starts"),
    "starts out of order": (["Hi"], [0.2, 0.1], [0.2, 0.2], "not in order from zero"),
    "a start below zero": (["Hi"], [-0.1, 0.1], [0.0, 0.2], "not in order from zero"),
    "an end behind the audio": (["Hi"], [0.0, 0.1], [0.1, 100.0], "ends after the audio"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_wrong_times_of_what_was_read_are_refused(deps: Deps, studio: Studio, ledger: Ledger, wrong: str) -> None:
    (read_as,), starts, ends, reason = WRONG[wrong]
    event = await studio.upload(spoken=SPOKEN)
    event.normalized.CopyFrom(Normalized(text=read_as, alignment=Alignment(start_times=starts, end_times=ends)))
    await usecases.keep_audio(deps, delivery(event))
    (rejected,) = await ledger.events(AudioRejected)
    assert reason in rejected.reason


@pytest.mark.parametrize("wrong", WRONG)
async def test_wrong_times_of_a_long_text_are_refused(deps: Deps, studio: Studio, ledger: Ledger, wrong: str) -> None:
    (text,), starts, ends, reason = WRONG[wrong]
    event = await studio.upload_long(spoken=SPOKEN, text=text, start_times=starts, end_times=ends)
    await usecases.keep_audio(deps, delivery(event))
    (rejected,) = await ledger.events(AudioRejected)
    assert reason in rejected.reason
    assert await ledger.count("audio_tracks") == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"no JSON", b'{"text": 5, "normalized": 7}'])
async def test_an_object_that_is_no_alignment_is_refused(
    deps: Deps, studio: Studio, ledger: Ledger, content: bytes
) -> None:
    event = await studio.upload_long()
    await studio.objects.put(event.alignment_key, content, "application/json")
    await usecases.keep_audio(deps, delivery(event))
    (rejected,) = await ledger.events(AudioRejected)
    assert rejected.reason == "the alignment is not what a worker writes"


async def test_an_alignment_of_another_organisation_is_refused(deps: Deps, studio: Studio, ledger: Ledger) -> None:
    event = await studio.upload_long()
    event.alignment_key = f"generations/orgs/{new_id()}/x/y.json"
    await usecases.keep_audio(deps, delivery(event))
    (rejected,) = await ledger.events(AudioRejected)
    assert "not one of the organisation's" in rejected.reason


@pytest.mark.parametrize(
    "name",
    ["mp3", "mp3_44100_128", "wav", "opus", "ogg", "flac", "aac", "pcm", "pcm_16000", "ulaw", "ulaw_16000", "alaw"],
)
async def test_audio_is_served_as_what_its_format_is(deps: Deps, studio: Studio, client: Client, name: str) -> None:
    form = parse_output_format(name)
    event = await studio.upload()
    event.content_type, event.format, event.sample_rate = form.content_type, form.extension, form.sample_rate
    await usecases.keep_audio(deps, delivery(event))
    answer = await client.get(f"/internal/generations/{event.generation_id}/audio")
    assert (answer.status, answer.headers["content-type"]) == (200, form.content_type)
    assert f'.{form.extension}"' in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "content_type", ["text/html", "audio/", "audio/mpeg\r\nx: y", "audio/ogg; codecs=<b>", "audio/ogg;a=b;c=d", ""]
)
async def test_what_is_no_audio_is_refused(deps: Deps, studio: Studio, ledger: Ledger, content_type: str) -> None:
    event = await studio.upload()
    event.content_type = content_type
    await usecases.keep_audio(deps, delivery(event))
    (rejected,) = await ledger.events(AudioRejected)
    assert rejected.reason == "the content type is not that of audio"
