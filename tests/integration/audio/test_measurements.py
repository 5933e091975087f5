"""Recordings whose properties are known, through the decoding processes."""

from __future__ import annotations

import numpy as np
import pytest

from libs.audio.intake import Intake
from libs.audio.quality import judge
from tests.integration.audio.recordings import PAUSE_SECONDS, Encoding, Samples, band_limited, encoded, wav, with_noise

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENCODINGS = [
    *(Encoding("wav", codec) for codec in ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le")),
    *(Encoding("wav", codec, 8_000) for codec in ("pcm_mulaw", "pcm_alaw")),
    *(Encoding("mp3", "libmp3lame", rate) for rate in (44_100, 24_000)),
    Encoding("mp3", "libmp3lame", channels=2),
    *(Encoding("ipod", codec, 44_100) for codec in ("aac", "alac")),
    Encoding("mp4", "aac", channels=2),
    Encoding("mov", "pcm_s16be"),
    Encoding("adts", "aac"),
    *(Encoding("flac", "flac", rate) for rate in (16_000, 96_000)),
    *(Encoding("ogg", codec) for codec in ("libopus", "flac")),
    Encoding("webm", "libopus", channels=2),
    Encoding("matroska", "flac"),
]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
async def test_every_encoding_has_the_same_length(
    intake: Intake, spoken: tuple[Samples, int], encoding: Encoding
) -> None:
    samples, sample_rate = spoken
    seconds = len(samples) / sample_rate
    examined = await intake.examine(encoded(samples, sample_rate, encoding))
    report = examined.report
    assert report.decoded_seconds == pytest.approx(seconds, abs=0.05)
    assert len(examined.pcm) / 2 / examined.sample_rate == pytest.approx(seconds, abs=0.05)
    assert report.declared_seconds is None or report.declared_seconds == pytest.approx(seconds, abs=0.05)
    assert (report.sample_rate, report.channels) == (encoding.sample_rate, encoding.channels)
    assert (report.decode_errors, report.stopped_early) == (0, False)
    assert report.speech_seconds == pytest.approx(seconds - 4 * PAUSE_SECONDS, abs=1.0)
    assert judge([report]).ready


async def test_the_pcm_is_the_sound_of_the_file(intake: Intake, spoken: tuple[Samples, int]) -> None:
    samples, sample_rate = spoken
    examined = await intake.examine(wav(samples, sample_rate))
    pcm = np.frombuffer(examined.pcm, "<i2") / 32768
    at = np.arange(len(pcm)) / examined.sample_rate
    expected = np.interp(at, np.arange(len(samples)) / sample_rate, samples)
    assert np.corrcoef(pcm, expected)[0, 1] > 0.99


@pytest.mark.parametrize("snr", [5, 10, 20, 30, 40])
async def test_noise_is_measured(intake: Intake, spoken: tuple[Samples, int], snr: int) -> None:
    samples, sample_rate = spoken
    noisy = with_noise(np.float32(0.5) * samples, snr)
    report = (await intake.examine(wav(noisy, sample_rate))).report
    assert report.snr_db is not None
    assert report.snr_db == pytest.approx(snr, abs=3)
    assert ("noise" in [reason.code for reason in judge([report]).reasons]) == (report.snr_db < 10)


async def test_clipping_is_measured(intake: Intake, spoken: tuple[Samples, int]) -> None:
    samples, sample_rate = spoken
    for content in (
        wav(20 * samples, sample_rate),
        encoded(np.clip(np.float32(20) * samples, -1, 1), sample_rate, Encoding("mp3", "libmp3lame")),
    ):
        report = (await intake.examine(content)).report
        assert report.clipped_share > 0.05
        assert [reason.code for reason in judge([report]).reasons] == ["clipping"]


async def test_silence_is_no_voice(intake: Intake) -> None:
    examined = await intake.examine(wav(np.zeros(12 * 16_000, np.float32), 16_000))
    report = examined.report
    assert (report.speech_seconds, report.loudness_lufs, report.snr_db) == (0, None, None)
    assert report.leading_silence_seconds == pytest.approx(12)
    assert {reason.code for reason in judge([report]).reasons} == {"too_little_speech", "speech_share", "too_quiet"}


async def test_a_melody_is_no_speech(intake: Intake) -> None:
    at = np.arange(12 * 44_100) / 44_100
    pitch = 220 * 2 ** (np.floor(at * 2) % 12 / 12)
    melody = sum(np.sin(2 * np.pi * np.cumsum(pitch) / 44_100 * overtone) / overtone for overtone in (1, 2, 3))
    report = (await intake.examine(wav(np.asarray(0.2 * melody, np.float32), 44_100))).report
    assert report.speech_share < 0.1
    assert "speech_share" in [reason.code for reason in judge([report]).reasons]


async def test_a_telephone_call_is_known_at_any_sample_rate(intake: Intake, spoken: tuple[Samples, int]) -> None:
    samples, sample_rate = spoken
    narrow = (await intake.examine(wav(band_limited(samples, 3_400, sample_rate, 48_000), 48_000))).report
    wide = (await intake.examine(wav(samples, sample_rate))).report
    assert narrow.sample_rate == 48_000
    assert narrow.bandwidth_hz == pytest.approx(3_400, abs=300)
    assert wide.bandwidth_hz > 8_000
    assert "bandwidth" in [warning.code for warning in judge([narrow]).warnings]


async def test_silence_at_the_ends_and_loudness(intake: Intake, spoken: tuple[Samples, int]) -> None:
    samples, sample_rate = spoken
    padded = np.concatenate([np.zeros(2 * sample_rate, np.float32), samples])
    loud = (await intake.examine(wav(padded, sample_rate))).report
    quiet = (await intake.examine(wav(np.float32(0.01) * padded, sample_rate))).report
    assert loud.leading_silence_seconds == pytest.approx(2, abs=0.1)
    assert loud.trailing_silence_seconds == pytest.approx(PAUSE_SECONDS, abs=0.2)
    assert loud.loudness_lufs is not None
    assert quiet.loudness_lufs == pytest.approx(loud.loudness_lufs - 40, abs=0.5)
    assert "too_quiet" in [reason.code for reason in judge([quiet]).reasons]
