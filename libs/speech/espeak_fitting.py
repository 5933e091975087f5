"""Speech of other engines, timed and encoded in the engine process: it has the engine to compare with, and a core."""

from __future__ import annotations

import array
from collections.abc import Sequence
from time import perf_counter

from libs.speech.alignment import Word, align
from libs.speech.encoding import parse_output_format, segment_encoder
from libs.speech.espeak_native import DEFAULT_RATE, LONGEST_SECONDS, Espeak
from libs.speech.espeak_wire import Fitting, Spoken
from libs.speech.spoken_text import readable


def fit(espeak: Espeak, request: Fitting, body: bytes) -> tuple[Spoken, bytes, bytes]:
    """The reply's header, the packed times, and the segment, for speech that is there already."""
    began = perf_counter()
    text, pcm = body[: request["text_bytes"]].decode(), body[request["text_bytes"] :]
    rate = request["sample_rate"]
    form = parse_output_format(request["form"])
    encoder = segment_encoder(form, rate)
    encoder.feed(pcm)
    segment = encoder.finish()
    encoded = perf_counter()
    duration = len(pcm) / 2 / rate
    if request["words"] is None:
        starts, ends, agreement = carried_over(
            espeak, text, pcm, voice=request["voice"], language=request["language"], sample_rate=rate
        )
    else:
        words = [Word(position, length, round(seconds * rate)) for position, length, seconds in request["words"]]
        starts, ends = align(text, words, (), total_samples=len(pcm) // 2, duration_seconds=duration)
        agreement = 1.0
    longest = segment.samples / form.sample_rate
    header = Spoken(
        kind="spoken",
        characters=len(text),
        samples=segment.samples,
        synthesis_seconds=perf_counter() - encoded,
        encoding_seconds=encoded - began,
        applied={"agreement": agreement},
    )
    times = array.array("d", [min(time, longest) for time in (*starts, *ends)])
    return header, times.tobytes(), segment.data


def carried_over(
    espeak: Espeak, text: str, pcm: bytes, *, voice: str, language: str, sample_rate: int
) -> tuple[Sequence[float], Sequence[float], float]:
    """Return starts and ends, in seconds, of the characters in `pcm`, by this engine's own speech of the text.

    `pcm` is mono, 16 bits, little-endian, at `sample_rate` Hz. The last one is the agreement, see `CarriedOver`.
    """
    import numpy

    from libs.speech.forced.aligner import carry_over

    espeak.set_voice(voice, None, language)
    espeak.set_parameters(rate=DEFAULT_RATE, pitch=None, pitch_range=None, volume=None, word_gap=None)
    own = bytearray()
    most_samples = espeak.sample_rate * LONGEST_SECONDS
    words, phonemes, samples = espeak.speak(readable(text), own.extend, most_samples=most_samples)
    starts, ends = align(text, words, phonemes, total_samples=samples, duration_seconds=samples / espeak.sample_rate)
    reference = numpy.frombuffer(bytes(own), dtype="<i2")
    spoken = numpy.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2")
    return carry_over(reference, espeak.sample_rate, starts, ends, spoken, sample_rate)
