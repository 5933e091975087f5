"""Matches one voice: reads the reference on stdin, answers on stdout. Run by `services.voice.adapters.matching`.

    python -m services.voice.adapters.matching_process

It has an eSpeak NG of its own, of which a process can hold only one, and gives way to whatever else wants the cores.
A frame on stdin is the length of a JSON header in four bytes, the header, and PCM; one on stdout the same with an MP3.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.speech.encoding import Joiner, parse_output_format, segment_encoder
from libs.speech.engine import UnknownEngineVoice, VoiceProfile
from libs.speech.espeak_native import Espeak
from libs.speech.timbre.calibration import calibration
from libs.speech.timbre.match import Match, match
from libs.speech.timbre.profile import NoVoice, measure
from libs.speech.timbre.transform import Transform, apply

_USUAL_RATE = 175
_LONGEST_SECONDS = 120
_NICENESS = 5


def main() -> None:
    """Answer one request."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # stdout is for the reply alone: what a library prints goes to stderr instead
    content = sys.stdin.buffer.read()
    size = int.from_bytes(content[:4])
    request = json.loads(content[4 : 4 + size])
    espeak = Espeak()
    _limit(request["limits"])
    reply, preview = _answer(espeak, request, np.frombuffer(content[4 + size :], np.int16))
    encoded = json.dumps(reply, allow_nan=False).encode()
    replies.write(len(encoded).to_bytes(4) + encoded + preview)
    replies.flush()


# Any: JSON.
def _answer(espeak: Espeak, request: dict[str, Any], pcm: NDArray[np.int16]) -> tuple[dict[str, Any], bytes]:
    def speak(voice: VoiceProfile, text: str) -> tuple[NDArray[np.int16], int]:
        return _spoken(espeak, voice, text), espeak.sample_rate

    language = request["language"]
    try:
        found = match(measure(pcm, request["sample_rate"]), language, speak)
    except NoVoice as reason:
        return {"failed": f"no voice could be measured in the recordings: {reason}"}, b""
    except UnknownEngineVoice as reason:
        return {"failed": str(reason)}, b""
    said = apply(_spoken(espeak, found.settings, calibration(language).judging), espeak.sample_rate, found.transform)
    return {"engine_settings": _settings(found), "report": found.report}, _mp3(said, espeak.sample_rate)


def _settings(found: Match) -> dict[str, Any]:
    changes = found.transform != Transform(pitch_pivot_hz=found.transform.pitch_pivot_hz)
    transform = {"transform": found.transform.to_dict()} if changes else {}
    return found.settings.to_settings() | transform


def _spoken(espeak: Espeak, voice: VoiceProfile, text: str) -> NDArray[np.int16]:
    espeak.set_voice(voice.engine_voice, voice.variant, voice.language)
    espeak.set_parameters(
        rate=voice.rate or _USUAL_RATE,
        pitch=voice.pitch,
        pitch_range=voice.pitch_range,
        volume=voice.volume,
        word_gap=voice.word_gap,
    )
    pcm = bytearray()
    espeak.speak(text, pcm.extend, most_samples=_LONGEST_SECONDS * espeak.sample_rate)
    return np.frombuffer(bytes(pcm), np.int16)


def _mp3(samples: NDArray[np.int16], sample_rate: int) -> bytes:
    form = parse_output_format("mp3")
    encoder = segment_encoder(form, sample_rate)
    encoder.feed(samples.tobytes())
    segment = encoder.finish()
    joiner = Joiner(form, segment.samples)
    return b"".join((joiner.head(), joiner.add(segment.data), joiner.finish()))


def _limit(limits: dict[str, Any]) -> None:
    """What nothing in a recording can lift."""
    os.nice(_NICENESS)
    memory = _memory_in_use() + limits["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.setitimer(signal.ITIMER_REAL, limits["wall_seconds"])  # its default action ends the process


def _memory_in_use() -> int:
    """Bytes of address space."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()
