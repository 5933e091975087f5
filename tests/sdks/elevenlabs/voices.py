"""Voices: the library, custom voices, their settings and recordings."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from elevenlabs import VoiceSettings

from tests.sdks.claiming import claims, failure_of
from tests.sdks.elevenlabs.client import OLD, ApiError, any_voice, client_of, is_id


def _add(client: Any, version: str, **wanted: Any) -> Any:  # Any: either version, and what it takes
    return client.voices.add(**wanted) if version == OLD else client.voices.ivc.create(**wanted)


def _edit(client: Any, version: str, voice_id: str, **wanted: Any) -> Any:  # Any: either version, and what it takes
    change = client.voices.edit if version == OLD else client.voices.update
    return change(voice_id, **wanted)


def _settings(client: Any, version: str, name: str) -> Any:  # Any: a method of either version
    if version == OLD:
        return getattr(
            client.voices, {"get": "get_settings", "update": "edit_settings"}.get(name, "get_default_settings")
        )
    return getattr(client.voices.settings, name)


@claims("GET /v1/voices")
def all_voices_are_listed(given: dict[str, Any]) -> None:
    found = client_of(given).voices.get_all().voices
    assert len(found) >= 30
    assert all(
        is_id(voice.voice_id) and voice.name and voice.category == "premade" for voice in found if not voice.is_owner
    )
    assert all(voice.labels["language"] and voice.settings.speed == 1 for voice in found)


@claims("GET /v2/voices")
def voices_are_searched_page_by_page(given: dict[str, Any]) -> None:
    client = client_of(given)
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = client.voices.search(page_size=10, sort="name", sort_direction="asc", voice_type="default", **token)
        seen += [voice.name for voice in page.voices]
        if not page.has_more:
            break
        token = {"next_page_token": page.next_page_token}
    assert seen == sorted(seen, key=str.casefold)
    assert len(seen) == len(set(seen)) == page.total_count
    assert [voice.name for voice in client.voices.search(search="Emma").voices] == ["Emma"]


@claims("GET /v1/voices/{voice_id}")
def one_voice_is_described(given: dict[str, Any]) -> None:
    client = client_of(given)
    known = any_voice(client)
    voice = client.voices.get(known.voice_id)
    assert (voice.name, voice.description) == (known.name, known.description)
    failure = failure_of(partial(client.voices.get, "21m00Tcm4TlvDq8ikWAM"), ApiError)
    assert (failure.status_code, failure.body["detail"]["status"]) == (404, "voice_not_found")


@claims(
    "POST /v1/voices/add",
    "POST /v1/text-to-speech/{voice_id}",
    "POST /v1/voices/{voice_id}/edit",
    "GET /v1/voices/{voice_id}/samples/{sample_id}/audio",
    "GET /v1/voices/settings/default",
    "GET /v1/voices/{voice_id}/settings",
    "POST /v1/voices/{voice_id}/settings/edit",
    "DELETE /v1/voices/{voice_id}",
)
def a_voice_is_made_of_a_bare_file_spoken_with_changed_and_deleted(given: dict[str, Any]) -> None:
    client, version = client_of(given), given["version"]
    recording = Path(given["recording"]).read_bytes()
    name = f"Bare {uuid4().hex[:8]}"
    assert _settings(client, version, "get_default")().speed == 1
    # Bytes without a name arrive as a file called "upload", and labels that are left out as the text "null".
    made = _add(client, version, name=name, files=[io.BytesIO(recording)])
    assert is_id(made.voice_id)
    assert made.requires_verification is False
    assert len(b"".join(client.text_to_speech.convert(made.voice_id, text="Here I am."))) > 5000
    voice = client.voices.get(made.voice_id)
    assert (voice.category, voice.name, len(voice.samples)) == ("cloned", name, 1)
    sample = voice.samples[0].sample_id
    audio = client.samples.get_audio if version == OLD else client.voices.samples.audio.get
    assert b"".join(audio(made.voice_id, sample)) == recording
    assert _edit(client, version, made.voice_id, name=f"{name} II", description="Renamed.").status == "ok"
    changed = client.voices.get(made.voice_id)
    assert (changed.name, changed.description) == (f"{name} II", "Renamed.")
    again = partial(_add, client, version, name=f"{name} II", files=[io.BytesIO(recording)])
    failure = failure_of(again, ApiError)
    assert (failure.status_code, failure.body["detail"]["status"]) == (400, "voice_name_taken")
    wanted = VoiceSettings(stability=0.9, speed=0.7)
    edit = client.voices.edit_settings if version == OLD else client.voices.settings.update
    edit(made.voice_id, request=wanted)
    assert _settings(client, version, "get")(made.voice_id).speed == 0.7
    assert client.voices.delete(made.voice_id).status == "ok"
    assert failure_of(partial(client.voices.get, made.voice_id), ApiError).status_code == 404


@claims("POST /v1/voices/add", "DELETE /v1/voices/{voice_id}/samples/{sample_id}")
def labels_and_several_recordings_are_understood(given: dict[str, Any]) -> None:
    client, version = client_of(given), given["version"]
    files = [given["recording"], given["short_recording"]]
    labels: Any = {"locale": "en-GB", "use_case": "audiobook", "mood": "calm"}
    contents = [(Path(file).name, Path(file).read_bytes(), "audio/wav") for file in files]
    name = f"Labelled {uuid4().hex[:8]}"
    made = _add(
        client,
        version,
        name=name,
        files=contents,
        description="Two.",
        labels=json.dumps(labels) if version == OLD else labels,
    )
    voice = client.voices.get(made.voice_id)
    assert (voice.labels["locale"], voice.labels["use_case"], voice.description) == ("en-GB", "audiobook", "Two.")
    short = next(sample.sample_id for sample in voice.samples if sample.size_bytes < 200_000)
    assert client.samples.delete(made.voice_id, short).status == "ok"
    assert len(client.voices.get(made.voice_id).samples) == 1
    client.voices.delete(made.voice_id)


@claims("POST /v1/voices/add")
def what_cannot_become_a_voice_is_told_at_once_and_leaves_nothing(given: dict[str, Any]) -> None:
    client, version = client_of(given), given["version"]
    name = f"Rejected {uuid4().hex[:8]}"
    for content in (Path(given["short_recording"]).read_bytes(), b"no audio at all"):
        failure = failure_of(partial(_add, client, version, name=name, files=[io.BytesIO(content)]), ApiError)
        # Their clients would send the form again, without its fields, for any status that they repeat.
        assert failure.status_code == 400, failure.status_code
        assert failure.body["detail"]["status"] == "voice_rejected", failure.body


@claims("POST /v1/voices/{voice_id}/edit")
def system_voices_stay_as_they_are(given: dict[str, Any]) -> None:
    client, version = client_of(given), given["version"]
    change = partial(_edit, client, version, any_voice(client).voice_id, name="Mine")
    failure = failure_of(change, ApiError)
    assert (failure.status_code, failure.body["detail"]["status"]) == (400, "system_voice")


@claims("GET /v1/voices", "GET /v2/voices")
def a_key_that_is_none_is_told_in_their_form(given: dict[str, Any]) -> None:
    client = client_of(given, api_key="nobody's")
    for call in (client.voices.get_all, client.voices.search):
        failure = failure_of(call, ApiError)
        assert (failure.status_code, failure.body["detail"]["status"]) == (401, "invalid_api_key")
