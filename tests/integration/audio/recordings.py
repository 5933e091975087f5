"""Recordings made for the tests: spoken by the real engine, mixed with numpy, encoded by PyAV."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from libs.speech.encoding.formats import parse_output_format
from libs.speech.engine import RenderJob, VoiceProfile
from libs.speech.espeak import EspeakEngine

Samples = NDArray[np.float32]

_SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "She sells sea shells by the sea shore.",
    "Nobody knows how many there were in all.",
    "We shall meet again when the evening comes.",
)
PAUSE_SECONDS = 0.8


@dataclass(frozen=True)
class Encoding:
    """A container, a codec and a sample rate that PyAV writes."""

    container: str
    codec: str
    sample_rate: int = 48_000
    channels: int = 1

    def __str__(self) -> str:
        return f"{self.container}-{self.codec}-{self.sample_rate}-{self.channels}"


async def speech() -> tuple[Samples, int]:
    """About 14 s of sentences with pauses of digital silence between them, and the sample rate."""
    engine = EspeakEngine(1)
    await engine.start()
    try:
        parts: list[Samples] = []
        form = parse_output_format("pcm_22050")
        sample_rate = form.sample_rate
        voice = VoiceProfile("gmw/en-US", "en-US", rate=140).to_settings()
        for sentence in _SENTENCES:
            rendered = await engine.render(RenderJob(sentence, voice, form))
            spoken = np.frombuffer(rendered.segment, np.int16)
            assert len(spoken) == rendered.samples
            parts += [
                spoken.astype(np.float32) / np.float32(32768),
                np.zeros(int(PAUSE_SECONDS * sample_rate), np.float32),
            ]
        return np.concatenate(parts), sample_rate
    finally:
        await engine.close()


def encoded(samples: Samples, sample_rate: int, encoding: Encoding) -> bytes:
    """Mono samples as a file."""
    layout = "mono" if encoding.channels == 1 else "stereo"
    out = io.BytesIO()
    with av.open(out, "w", format=encoding.container) as container:
        stream = container.add_stream(encoding.codec, rate=encoding.sample_rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(np.stack([samples] * encoding.channels), "fltp", layout)
        frame.sample_rate = sample_rate
        context = stream.codec_context
        resampler = av.AudioResampler(
            context.format, layout, encoding.sample_rate, frame_size=context.frame_size or 4096
        )
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            # The last packet of FLAC has no sound but its header's final state, which only its own container takes.
            packets = stream.encode(part)
            container.mux([packet for packet in packets if packet.size or encoding.container == "flac"])
    return out.getvalue()


def wav(samples: Samples, sample_rate: int) -> bytes:
    """Mono samples as a 16-bit WAV file, clipped at full scale."""
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def with_noise(samples: Samples, snr_db: float, seed: int = 1) -> Samples:
    """White noise under speech; the ratio is that of the sentences alone, without the pauses."""
    loud = samples[np.abs(samples) > 0]
    noise = np.random.default_rng(seed).standard_normal(len(samples))
    level = np.sqrt(np.square(loud).mean()) * 10 ** (-snr_db / 20)
    return np.asarray(samples + level * noise, np.float32)


def band_limited(samples: Samples, hertz: float, sample_rate: int, upsampled_to: int) -> Samples:
    """Samples without what lies above `hertz`, at another rate."""
    spectrum = np.fft.rfft(samples)
    spectrum[int(hertz * len(samples) / sample_rate) :] = 0
    length = len(samples) * upsampled_to // sample_rate
    return np.asarray(np.fft.irfft(spectrum, length) * length / len(samples), np.float32)


def flac_of_silence(hours: float) -> bytes:
    """Digital silence of 8 kHz in a FLAC file: about a third of a megabyte an hour."""
    sample_rate, samples = 8_000, 16_384
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=sample_rate, options={"frame_size": str(samples)})
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        stream.codec_context.open()
        samples = stream.codec_context.frame_size
        frame = av.AudioFrame.from_ndarray(np.zeros((1, samples), np.int16), "s16", "mono")
        frame.sample_rate = sample_rate
        for number in range(int(hours * 3600 * sample_rate / samples)):
            frame.pts = number * samples
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
