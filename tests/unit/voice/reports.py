"""Quality reports as if recordings had been examined."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from libs.audio.quality import QualityReport

GOOD = QualityReport(
    container="wav",
    codec="pcm_s16le",
    size_bytes=960_044,
    sample_rate=24_000,
    channels=1,
    declared_seconds=20.0,
    decoded_seconds=20.0,
    stopped_early=False,
    packets=100,
    decode_errors=0,
    peak_dbfs=-3.0,
    rms_dbfs=-20.0,
    clipped_share=0.0,
    loudness_lufs=-20.0,
    leading_silence_seconds=0.5,
    trailing_silence_seconds=0.5,
    speech_seconds=15.0,
    speech_share=0.75,
    snr_db=40.0,
    bandwidth_hz=12_000.0,
)


def report(**changes: Any) -> QualityReport:  # Any: fields of several types
    """A good recording with 15 s of speech, but for `changes`."""
    return replace(GOOD, **changes)
