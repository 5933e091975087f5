"""Custom voices, from the command line and over the API, on the whole stack."""

from __future__ import annotations

import io
import subprocess
import wave
from pathlib import Path
from uuid import uuid4

import numpy as np

from libs.speech.timbre.profile import measure
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.recordings import spoken_wav
from tests.support.stack import Stack

TEXT = "The boy threw his yellow kite high over the garden, while a cool breeze came up from the shore."


async def test_a_voice_is_made_and_deleted_from_the_command_line(stack: Stack, api: Api, tmp_path: Path) -> None:
    name = f"Ferdinand {uuid4().hex[:8]}"
    recording, noise = tmp_path / "me.wav", tmp_path / "short.wav"
    recording.write_bytes(spoken_wav())
    noise.write_bytes(spoken_wav(1))
    made = stack.run("voices", "add", name, str(recording), "--category", "PODCAST")
    voice_id = made.stdout.split()[0]
    assert "matched, not cloned: pitch off by" in made.stdout
    listed = stack.run("voices", "list", "--category", "PODCAST").stdout
    assert [line for line in listed.splitlines() if line.startswith(voice_id) and name in line]
    refused = stack.run("voices", "add", f"Short {name}", str(noise), check=False)
    assert refused.returncode == 1
    assert "3.1 s of speech; at least 10 s are needed" in refused.stderr
    rejected = stack.run("voices", "list", name, "--status", "rejected").stdout.splitlines()[1].split()[0]
    for wanted in (name, rejected):
        assert stack.run("voices", "delete", wanted).stdout.startswith("deleted ")
    assert (await api.get(f"/v1/voices/{voice_id}")).status == 404
    nobody: subprocess.CompletedProcess[str] = stack.run("voices", "delete", name, check=False)
    assert (nobody.returncode, f"No voice is called '{name}'" in nobody.stderr) == (1, True)


async def test_what_is_spoken_in_a_custom_voice_sounds_like_its_recording(api: Api) -> None:
    made = await api.upload_voice(f"Greta {uuid4().hex[:8]}")
    voice = await api.until_ready(made.json["id"])
    assert voice["matching"]["after"]["pitch_error_semitones"] <= 0.5
    spoken = await api.speak(TEXT, voice["id"], format="wav")
    audio = await api.get(f"/v1/generations/{spoken['id']}/audio")
    wanted, heard = (_measured(content) for content in (spoken_wav(), audio.content))
    assert abs(12 * np.log2(heard / wanted)) < 1.5
    preview = await api.get(f"/v1/voices/{voice['id']}/preview")
    assert (preview.status, preview.headers["content-type"]) == (200, "audio/mpeg")
    [sample] = (await api.get(f"/v1/voices/{voice['id']}/samples")).json["items"]
    assert (await api.get(sample["audio_url"])).content == spoken_wav()
    assert (await api.delete(f"/v1/voices/{voice['id']}")).status == 204


async def test_settings_of_a_voice_are_used_where_a_request_says_nothing(api: Api) -> None:
    made = await api.upload_voice(f"Hugo {uuid4().hex[:8]}")
    path = f"/v1/voices/{made.json['id']}"
    usual = await api.speak(TEXT, made.json["id"], format="wav")
    changed = await api.ask("PUT", f"{path}/settings", json={"speed": 2})
    assert (changed.status, changed.json["speed"]) == (200, 2.0)

    async def fast() -> bool:
        spoken = await api.speak(TEXT, made.json["id"], format="wav")
        return bool(spoken["duration_seconds"] < 0.7 * usual["duration_seconds"])

    await eventually(fast, within=20, what="the new speed")
    slow = await api.speak(TEXT, made.json["id"], format="wav", speed=1.0)
    assert abs(slow["duration_seconds"] - usual["duration_seconds"]) < 0.2
    assert (await api.delete(path)).status == 204


def _measured(content: bytes) -> float:
    with wave.open(io.BytesIO(content)) as reader:
        samples = np.frombuffer(reader.readframes(reader.getnframes()), np.int16)
        return measure(samples, reader.getframerate()).median_f0_hz
