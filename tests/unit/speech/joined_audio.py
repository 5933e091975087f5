"""Bursts of tone in segments, and where a decoder plays them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from libs.speech.encoding import Codec, Joiner, OutputFormat, Segment, segment_encoder

type_of_raw = {Codec.PCM: "s16le", Codec.ULAW: "mulaw", Codec.ALAW: "alaw"}
"""FFmpeg's names of what has no header."""

BURST_SECONDS = 0.02
LEVEL = 12_000


def burst(samples: int, at: int, rate: int) -> bytes:
    """Silence with one burst of 800 Hz whose middle is at `at`."""
    pcm = np.zeros(samples, dtype="<i2")
    length = int(BURST_SECONDS * rate)
    start = at - length // 2
    tone = np.hanning(length) * LEVEL * np.sin(2 * np.pi * 800 * np.arange(length) / rate)
    pcm[start : start + length] = tone.astype("<i2")
    return pcm.tobytes()


def encode(form: OutputFormat, pcm: bytes, rate: int, piece_bytes: int = 4001) -> Segment:
    encoder = segment_encoder(form, rate)
    for start in range(0, len(pcm), piece_bytes):
        encoder.feed(pcm[start : start + piece_bytes])
    return encoder.finish()


def join(form: OutputFormat, segments: list[Segment], *, live: bool = False) -> bytes:
    joiner = Joiner(form, None if live else sum(segment.samples for segment in segments))
    return joiner.head() + b"".join(joiner.add(segment.data) for segment in segments) + joiner.finish()


@dataclass(frozen=True)
class Decoded:
    samples: NDArray[np.float64]
    """-1 to 1."""
    rate: int
    declared_seconds: float | None
    """What the demuxer makes of the header; None where no header says anything, and it can only guess."""


def decode(form: OutputFormat, data: bytes) -> Decoded:
    """What is heard. Anything that is not quite right in the file is an error."""
    raw = type_of_raw.get(form.codec)
    options = {"err_detect": "crccheck+bitstream+buffer+explode"}
    if raw:
        options["sample_rate"] = str(form.sample_rate)
    with av.open(io.BytesIO(data), "r", format=raw, options=options) as container:
        stream = container.streams.audio[0]
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(stream)]
        length = None if form.codec is Codec.AAC else container.duration
        seconds = None if length is None else length / 1e6
        joined = np.concatenate(frames)
        scale = 32_768 if joined.dtype == np.int16 else 1
        return Decoded(joined.astype(np.float64) / scale, stream.codec_context.sample_rate, seconds)


def heard_at(decoded: Decoded, expected: float) -> float:
    """The sample in the middle of the energy around the expected one."""
    reach = int(0.05 * decoded.rate)
    first = max(0, int(expected) - reach)
    energy = np.cumsum(decoded.samples[first : int(expected) + reach] ** 2)
    assert energy[-1] > 0.01, "nothing is heard there"
    return first + float(np.searchsorted(energy, energy[-1] / 2))
