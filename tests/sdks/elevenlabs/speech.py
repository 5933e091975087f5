"""Text to speech in its four forms."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

from elevenlabs import VoiceSettings

from tests.sdks.claiming import UNKNOWN_TO_THIS_VERSION, claims, failure_of
from tests.sdks.elevenlabs.client import OLD, ApiError, any_voice, client_of

TEXT = "The quick brown fox jumps over the lazy dog. It barks twice."


def _spoken(client: Any, voice_id: str, **wanted: Any) -> bytes:  # Any: either version, and what it takes
    return b"".join(client.text_to_speech.convert(voice_id, **wanted))


def _is_mp3(audio: bytes) -> bool:
    return audio[:3] == b"ID3" or (audio[0] == 0xFF and audio[1] & 0xE0 == 0xE0)


@claims("POST /v1/text-to-speech/{voice_id}")
def a_text_becomes_mp3_unless_it_is_said_otherwise(given: dict[str, Any]) -> None:
    client = client_of(given)
    audio = b"".join(client.text_to_speech.convert(any_voice(client).voice_id, text=TEXT))
    assert _is_mp3(audio)
    assert len(audio) > 20_000


@claims("POST /v1/text-to-speech/{voice_id}")
def output_formats_have_their_names(given: dict[str, Any]) -> None:
    client = client_of(given)
    voice_id = any_voice(client).voice_id
    sizes = {}
    for name in ("mp3_22050_32", "mp3_44100_192", "pcm_16000", "pcm_44100", "ulaw_8000", "alaw_8000", "opus_48000_64"):
        sizes[name] = len(b"".join(client.text_to_speech.convert(voice_id, text=TEXT, output_format=name)))
    seconds = [sizes["ulaw_8000"] / 8000, sizes["alaw_8000"] / 8000, sizes["pcm_16000"] / 32_000]
    assert max(seconds) < 1.1 * min(seconds), seconds
    assert sizes["mp3_22050_32"] < sizes["mp3_44100_192"] / 4


@claims("POST /v1/text-to-speech/{voice_id}")
def a_speed_is_spoken_and_what_is_unknown_does_no_harm(given: dict[str, Any]) -> None:
    client = client_of(given)
    voice_id = any_voice(client).voice_id

    def samples(speed: float) -> int:
        settings = VoiceSettings(stability=0.3, similarity_boost=0.8, style=0.1, use_speaker_boost=True, speed=speed)
        return len(
            b"".join(
                client.text_to_speech.convert(
                    voice_id,
                    text=TEXT,
                    model_id="eleven_multilingual_v2",
                    language_code="en",
                    voice_settings=settings,
                    seed=7,
                    previous_text="Before.",
                    next_text="After.",
                    apply_text_normalization="auto",
                    output_format="pcm_16000",
                )
            )
        )

    assert samples(0.8) > 1.2 * samples(1.2)


@claims("POST /v1/text-to-speech/{voice_id}")
def sampling_parameters_pass_as_extra_fields(given: dict[str, Any]) -> None:
    client = client_of(given)
    options = {"additional_body_parameters": {"temperature": 0.5, "top_p": 0.9, "top_k": 50, "repetition_penalty": 1.1}}
    audio = b"".join(client.text_to_speech.convert(any_voice(client).voice_id, text=TEXT, request_options=options))
    assert _is_mp3(audio)


@claims("POST /v1/text-to-speech/{voice_id}")
def pauses_are_made_and_not_read(given: dict[str, Any]) -> None:
    client = client_of(given)
    voice_id = any_voice(client).voice_id

    def seconds(text: str) -> float:
        audio = client.text_to_speech.convert(voice_id, text=text, output_format="pcm_16000")
        return len(b"".join(audio)) / 32_000

    longer = seconds('One & two. <break time="2.0s" /> Three.') - seconds("One & two. Three.")
    assert 1.5 < longer < 2.5


@claims("POST /v1/text-to-speech/{voice_id}/stream")
def a_text_is_heard_while_it_is_spoken(given: dict[str, Any]) -> None:
    client = client_of(given)
    speak = client.text_to_speech.convert_as_stream if given["version"] == OLD else client.text_to_speech.stream
    pieces = list(speak(any_voice(client).voice_id, text=TEXT))
    assert len(pieces) > 1
    assert _is_mp3(pieces[0])


@claims("POST /v1/text-to-speech/{voice_id}/with-timestamps")
def every_character_has_its_time(given: dict[str, Any]) -> None:
    client = client_of(given)
    answer = client.text_to_speech.convert_with_timestamps(any_voice(client).voice_id, text=TEXT)
    times = answer.alignment
    assert "".join(times.characters) == TEXT
    assert len(times.character_start_times_seconds) == len(times.character_end_times_seconds) == len(TEXT)
    assert times.character_start_times_seconds == sorted(times.character_start_times_seconds)
    assert times.character_end_times_seconds[-1] > 2
    assert answer.normalized_alignment is not None
    audio = answer.audio_base_64
    assert _is_mp3(base64.b64decode(audio))


@claims("POST /v1/text-to-speech/{voice_id}/with-timestamps")
def times_are_those_of_the_text_as_it_was_sent_with_its_pauses(given: dict[str, Any]) -> None:
    client = client_of(given)
    text = 'One & two. <break time="1.0s" /> Three.'
    times = client.text_to_speech.convert_with_timestamps(any_voice(client).voice_id, text=text).alignment
    assert "".join(times.characters) == text
    pause = text.index("<"), text.index("Three")
    assert times.character_start_times_seconds[pause[1]] - times.character_end_times_seconds[pause[0] - 2] > 0.8


@claims("POST /v1/text-to-speech/{voice_id}/stream/with-timestamps")
def times_come_while_it_is_spoken(given: dict[str, Any]) -> None:
    client = client_of(given)
    voice_id = any_voice(client).voice_id
    chunks = list(client.text_to_speech.stream_with_timestamps(voice_id, text=TEXT))
    assert chunks
    times = [chunk.alignment for chunk in chunks if chunk.alignment is not None]
    assert "".join(character for one in times for character in one.characters) == TEXT
    starts = [start for one in times for start in one.character_start_times_seconds]
    assert starts == sorted(starts)
    assert _is_mp3(b"".join(base64.b64decode(chunk.audio_base_64) for chunk in chunks))


@claims("POST /v1/text-to-speech/{voice_id}")
def an_unknown_voice_is_a_404_in_their_form(given: dict[str, Any]) -> None:
    client = client_of(given)
    failure = failure_of(partial(_spoken, client, "21m00Tcm4TlvDq8ikWAM", text=TEXT), ApiError)
    assert failure.status_code == 404, failure.status_code
    assert failure.body["detail"]["status"] == "voice_not_found", failure.body


@claims("POST /v1/text-to-speech/{voice_id}")
def a_voice_may_be_named(given: dict[str, Any]) -> None:
    assert _is_mp3(b"".join(client_of(given).text_to_speech.convert("emma", text=TEXT)))


@claims("POST /v1/text-to-speech/{voice_id}")
def an_empty_text_and_an_unknown_format_are_told_in_their_form(given: dict[str, Any]) -> None:
    client = client_of(given)
    voice_id = any_voice(client).voice_id
    for wrong in ({"text": ""}, {"text": TEXT, "output_format": "mp3_1_1"}):
        failure = failure_of(partial(_spoken, client, voice_id, **wrong), ApiError)
        assert failure.status_code == 422, failure.status_code
        detail = failure.body.detail if given["version"] == OLD else failure.body["detail"]
        assert set(detail) >= {"status", "message"}, detail


@claims("POST /v1/text-to-speech/{voice_id}")
def answers_say_what_they_cost_and_where_they_are_kept(given: dict[str, Any]) -> str | None:
    if given["version"] == OLD:
        return UNKNOWN_TO_THIS_VERSION
    client = client_of(given)
    with client.text_to_speech.with_raw_response.convert(
        any_voice(client).voice_id, text="Heads up.", previous_text="Before."
    ) as response:
        audio = b"".join(response.data)
        headers = response.headers
    assert _is_mp3(audio)
    assert int(headers["character-cost"]) in (0, len("Heads up."))
    assert headers["request-id"] == headers["x-request-id"]
    assert 1 <= int(headers["current-concurrent-requests"]) <= int(headers["maximum-concurrent-requests"])
    assert client.history.get(headers["history-item-id"]).text == "Heads up."
    assert headers["antiphon-ignored"] == "previous_text"
    return None


@claims("POST /v1/text-to-speech/{voice_id}")
def nothing_is_kept_of_a_request_that_is_not_to_be_logged(given: dict[str, Any]) -> str | None:
    if given["version"] == OLD:
        return UNKNOWN_TO_THIS_VERSION
    client = client_of(given)
    for speak in (client.text_to_speech.with_raw_response.convert, client.text_to_speech.with_raw_response.stream):
        with speak(any_voice(client).voice_id, text="Forget this.", enable_logging=False) as response:
            assert _is_mp3(b"".join(response.data))
            item = response.headers["history-item-id"]
        failure = failure_of(partial(client.history.get, item), ApiError)
        assert failure.status_code == 404
    return None
