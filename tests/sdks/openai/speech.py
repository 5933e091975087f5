"""Text to speech."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import wave
from functools import partial
from typing import Any

import openai

from tests.sdks.claiming import claims, failure_of
from tests.sdks.openai.client import client_of

TEXT = "The quick brown fox jumps over the lazy dog."
HENRY = "Henry"
BEGINNINGS = {
    "mp3": (b"\xff\xf3", b"\xff\xfb", b"ID3"),
    "opus": (b"OggS",),
    "aac": (b"\xff\xf1",),
    "flac": (b"fLaC",),
    "wav": (b"RIFF",),
}


def seconds_of(wav: bytes) -> float:
    """How long a streamed wav is, whose header does not know it: 24 kHz, 16 bit, mono."""
    with wave.open(io.BytesIO(wav)) as reader:
        assert (reader.getframerate(), reader.getsampwidth(), reader.getnchannels()) == (24_000, 2, 1)
    return (len(wav) - 44) / 48_000


@claims("POST /v1/audio/speech")
def every_format_is_what_it_says(given: dict[str, Any]) -> None:
    client = client_of(given)
    for name, beginnings in BEGINNINGS.items():
        answer = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format=name)
        assert answer.content.startswith(beginnings), (name, answer.content[:8])
        assert answer.response.headers["content-type"].startswith("audio/"), name
    pcm = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="pcm").content
    wav = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="wav").content
    assert 1.5 < len(pcm) / 48_000 < 6
    assert abs(len(pcm) / 48_000 - seconds_of(wav)) < 0.5


@claims("POST /v1/audio/speech")
def mp3_is_what_comes_unasked(given: dict[str, Any]) -> None:
    answer = client_of(given, "/v1").audio.speech.create(model="tts-1-hd", voice="nova", input=TEXT)
    assert answer.content.startswith(BEGINNINGS["mp3"])
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert answer.response.headers["x-request-id"]
    assert answer.response.headers["generation-id"]


@claims("POST /v1/audio/speech")
def speed_is_heard(given: dict[str, Any]) -> None:
    client = client_of(given)
    slow, fast = (
        seconds_of(
            client.audio.speech.create(
                model="tts-1", voice="echo", input=TEXT, response_format="wav", speed=speed
            ).content
        )
        for speed in (0.5, 2.0)
    )
    assert slow > 2.5 * fast, (slow, fast)


@claims("POST /v1/audio/speech")
def voices_go_by_openais_names_ours_and_ids(given: dict[str, Any]) -> None:
    client = client_of(given)
    voices = client.get("/audio/voices", cast_to=object)
    assert isinstance(voices, dict)
    ids = {voice["name"]: voice["id"] for voice in voices["voices"]}
    assert {"alloy", "onyx", "shimmer", HENRY} <= set(ids)
    spoken = {
        name: client.audio.speech.create(model="tts-1", voice=name, input=TEXT, response_format="pcm", extra_body=more)
        for name, more in {
            "alloy": None,
            "onyx": None,
            HENRY: None,
            ids[HENRY]: None,
            "coral": {"voice": {"id": ids[HENRY]}},
        }.items()
    }
    named = [
        client.get(f"/../../v1/generations/{one.response.headers['generation-id']}", cast_to=object)
        for one in spoken.values()
    ]
    names = [one["voice_name"] for one in named if isinstance(one, dict)]
    assert names == ["Emma", "Nigel", HENRY, HENRY, HENRY], names


@claims("POST /v1/audio/speech")
def audio_comes_while_it_is_spoken(given: dict[str, Any]) -> None:
    client = client_of(given)
    text = " ".join(f"Sentence number {number} of a longer story." for number in range(90))
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="fable", input=text) as answer:
        pieces = list(answer.iter_bytes(1024))
    assert len(pieces) > 100
    assert pieces[0].startswith(BEGINNINGS["mp3"])


@claims("POST /v1/audio/speech")
def events_carry_the_audio(given: dict[str, Any]) -> None:
    client = client_of(given)
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="sage", input=TEXT, stream_format="sse"
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in events[:-1]).startswith(BEGINNINGS["mp3"])
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["input_tokens"] == len(TEXT)


@claims("POST /v1/audio/speech")
def what_means_nothing_here_is_named(given: dict[str, Any]) -> None:
    answer = client_of(given).audio.speech.create(
        model="gpt-4o-mini-tts",
        voice="ash",
        input=TEXT,
        instructions="Whisper.",
        extra_body={"seed": 7, "lang_code": "a"},
    )
    assert answer.response.headers["antiphon-ignored"] == "instructions, lang_code"


@claims("POST /v1/audio/speech")
def bad_input_is_named(given: dict[str, Any]) -> None:
    client = client_of(given)
    said: dict[str, Any] = {"model": "tts-1", "voice": "alloy", "input": TEXT}
    for wrong, param in (
        ({"input": ""}, "input"),
        ({"input": "x" * 4097}, "input"),
        ({"voice": "nobody at all"}, "voice"),
        ({"speed": 5.0}, "speed"),
        ({"response_format": "wma"}, "response_format"),
        ({"model": "another-engine"}, "model"),
    ):
        error = failure_of(partial(client.audio.speech.create, **(said | wrong)), openai.BadRequestError)
        assert (error.type, error.param) == ("invalid_request_error", param), (wrong, error.body)
        assert param in error.message


@claims("POST /v1/audio/speech")
def many_at_once_are_not_mixed_up(given: dict[str, Any]) -> None:
    async def speak_all() -> list[int]:
        async with openai.AsyncOpenAI(base_url=f"{given['url']}/openai/v1", api_key=given["api_key"]) as client:
            answers = [
                client.audio.speech.create(
                    model="tts-1", voice="alloy", input="word " * count, response_format="pcm", extra_body={"seed": 1}
                )
                for count in range(1, 13)
            ]
            return [len(answer.content) for answer in await asyncio.gather(*answers)]

    lengths = asyncio.run(speak_all())
    assert lengths == sorted(lengths), lengths
    assert len(set(lengths)) == len(lengths)
