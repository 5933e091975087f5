"""The decoding process, run by `libs.audio.intake`: python -m libs.audio.decode_process."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from libs.audio.decoding import NotAudio
from libs.audio.examining import examine
from libs.audio.speech_detector import SpeechDetector
from libs.audio.wire import SAMPLE_RATE, Decoded, Refused, Reply
from libs.bounded.process import Answer, serve


def _prepare() -> Answer:
    """Load before the first fork what its limits would keep it from loading."""
    detector = SpeechDetector()
    examine(_noise(), detector, most_seconds=2.0)
    return partial(_answer, detector)


def _answer(detector: SpeechDetector, asked: Mapping[str, Any], content: bytes) -> tuple[Reply, bytes]:  # Any: JSON
    try:
        report, pcm = examine(content, detector, most_seconds=asked["audio_seconds"])
    except NotAudio as reason:
        return Refused(kind="refused", message=str(reason)), b""
    return Decoded(kind="decoded", report=asdict(report)), pcm


def _noise() -> bytes:
    """A second of noise as a WAV file."""
    noise = np.random.default_rng(0).integers(-3000, 3000, SAMPLE_RATE, np.int16).tobytes()
    form = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    chunks = b"".join(name + struct.pack("<I", len(body)) + body for name, body in ((b"fmt ", form), (b"data", noise)))
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


if __name__ == "__main__":
    serve(_prepare)
