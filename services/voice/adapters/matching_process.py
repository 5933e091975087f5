"""Matches one voice. Run by `services.voice.adapters.matching`; the answer's bytes are an MP3.

python -m services.voice.adapters.matching_process
"""

from __future__ import annotations

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
from services.voice.adapters.engine_request import EngineRequest, receive

_USUAL_RATE = 175
_LONGEST_SECONDS = 120


def main() -> None:
    """Answer one request."""
    request = receive()
    request.limit()
    request.answer(*_matched(request))


def _matched(request: EngineRequest) -> tuple[dict[str, Any], bytes]:  # Any: JSON
    espeak, language = request.espeak, request.header["language"]

    def speak(voice: VoiceProfile, text: str) -> tuple[NDArray[np.int16], int]:
        return _spoken(espeak, voice, text), espeak.sample_rate

    try:
        reference = measure(np.frombuffer(request.body, np.int16), request.header["sample_rate"])
        found = match(reference, language, speak)
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


if __name__ == "__main__":
    main()
