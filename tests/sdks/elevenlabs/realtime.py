"""Text that arrives in pieces, over a WebSocket; the clients open one over TLS alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from elevenlabs import VoiceSettings

from tests.sdks.claiming import claims, failure_of
from tests.sdks.elevenlabs.client import ApiError, any_voice, client_of


def _words() -> Iterator[str]:
    yield from ("Hello, how are you? ", "I am fine, thank you. ", "And this text ", "goes on for a wh", "ile longer.")


def _spoken(given: dict[str, Any], **wanted: Any) -> bytes:  # Any: what the client takes
    client = client_of(given, url=given["secure_url"])
    # The old version does not work without.
    wanted.setdefault("voice_settings", VoiceSettings(speed=1.0))
    voice_id = wanted.pop("voice_id", None) or any_voice(client_of(given)).voice_id
    return b"".join(client.text_to_speech.convert_realtime(voice_id, text=_words(), **wanted))


@claims("WebSocket /v1/text-to-speech/{voice_id}/stream-input")
def a_text_is_heard_while_it_arrives(given: dict[str, Any]) -> None:
    audio = _spoken(given, model_id="eleven_turbo_v2_5", output_format="pcm_16000")
    assert 3 < len(audio) / 32_000 < 15
    assert len(audio) % 2 == 0


@claims("WebSocket /v1/text-to-speech/{voice_id}/stream-input")
def a_voices_speed_may_be_said_in_the_first_message(given: dict[str, Any]) -> None:
    settings = VoiceSettings(stability=0.5, similarity_boost=0.8, speed=0.7)
    options = {"model_id": "eleven_turbo_v2_5", "output_format": "pcm_16000"}
    assert len(_spoken(given, voice_settings=settings, **options)) > 1.2 * len(_spoken(given, **options))


@claims("WebSocket /v1/text-to-speech/{voice_id}/stream-input")
def what_goes_wrong_is_told(given: dict[str, Any]) -> None:
    def unknown() -> bytes:
        return _spoken(given, voice_id="21m00Tcm4TlvDq8ikWAM", model_id="eleven_turbo_v2_5")

    failure = failure_of(unknown, ApiError)
    assert failure.status_code == 1008, failure.status_code
    # The message that says so, or only why the connection was closed if that was found out in sending.
    assert "voice_not_found" in str(failure.body), failure.body
