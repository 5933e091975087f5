"""One file, decoded and measured. Only for a process that may be lost."""

from __future__ import annotations

import av
import numpy as np

from libs.audio import measuring, speech_detector
from libs.audio.decoding import AudioFile, Resampled, samples_of
from libs.audio.quality import QualityReport
from libs.audio.speech_detector import SpeechDetector, speech_frames
from libs.audio.wire import SAMPLE_RATE


class _Ear:
    """Everything that listens to the blocks of a file while they are decoded, so that none has to be kept."""

    def __init__(self, sample_rate: int, layout: str) -> None:
        self.levels = measuring.Levels()
        self.loudness = measuring.Loudness(sample_rate, layout)
        self.bandwidth = measuring.Bandwidth(sample_rate)
        self.pcm = Resampled("s16", SAMPLE_RATE)
        self.heard = Resampled("flt", speech_detector.SAMPLE_RATE)

    def feed(self, block: av.AudioFrame) -> None:
        samples = samples_of(block)
        self.levels.feed(samples)
        self.bandwidth.feed(samples)
        self.pcm.feed(block)
        self.heard.feed(block)
        self.loudness.feed(block)


def examine(content: bytes, detector: SpeechDetector, *, most_seconds: float) -> tuple[QualityReport, bytes]:
    """The report and the PCM: mono, 16 bits, at the wire's rate, `most_seconds` at most. Raises NotAudio."""
    file = AudioFile(content, most_seconds=most_seconds)
    ear: _Ear | None = None
    for block in file.blocks():
        if ear is None:
            ear = _Ear(file.sample_rate, block.layout.name)
        ear.feed(block)
    assert ear is not None  # `blocks` gives some, or says that this is no audio
    return _report(file, ear, detector, len(content)), ear.pcm.finish()


def _report(file: AudioFile, ear: _Ear, detector: SpeechDetector, size_bytes: int) -> QualityReport:
    samples = np.frombuffer(ear.heard.finish(), np.float32)
    likely = detector.probabilities(samples)
    leading, trailing = measuring.silence(samples)
    seconds = file.samples / file.sample_rate
    frames = int(np.count_nonzero(speech_frames(likely)))
    speech_seconds = min(seconds, frames * speech_detector.FRAME / speech_detector.SAMPLE_RATE)
    return QualityReport(
        container=file.container,
        codec=file.codec,
        size_bytes=size_bytes,
        sample_rate=file.sample_rate,
        channels=file.channels,
        declared_seconds=file.declared_seconds,
        decoded_seconds=seconds,
        stopped_early=file.stopped_early,
        packets=file.packets,
        decode_errors=file.decode_errors,
        peak_dbfs=ear.levels.peak_dbfs,
        rms_dbfs=ear.levels.rms_dbfs,
        clipped_share=ear.levels.clipped_share,
        loudness_lufs=ear.loudness.finish(),
        leading_silence_seconds=leading,
        trailing_silence_seconds=trailing,
        speech_seconds=speech_seconds,
        speech_share=speech_seconds / seconds,
        snr_db=measuring.signal_to_noise(samples, likely),
        bandwidth_hz=ear.bandwidth.hertz,
    )
