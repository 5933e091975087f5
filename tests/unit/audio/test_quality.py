"""The rules by which recordings become a voice or do not."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from libs.audio.quality import MOST_BYTES, QualityReport, judge, tenths

GOOD = QualityReport(
    container="wav",
    codec="pcm_s16le",
    size_bytes=3_840_044,
    sample_rate=48_000,
    channels=1,
    declared_seconds=40.0,
    decoded_seconds=40.0,
    stopped_early=False,
    packets=470,
    decode_errors=0,
    peak_dbfs=-3.0,
    rms_dbfs=-20.0,
    clipped_share=0.0,
    loudness_lufs=-20.0,
    leading_silence_seconds=0.2,
    trailing_silence_seconds=0.3,
    speech_seconds=35.0,
    speech_share=0.875,
    snr_db=45.0,
    bandwidth_hz=16_000.0,
)


def test_a_good_recording_is_ready_without_a_word() -> None:
    verdict = judge([GOOD])
    assert verdict.ready
    assert verdict.reasons == verdict.warnings == ()


def test_a_report_is_json() -> None:
    assert QualityReport(**json.loads(json.dumps(asdict(GOOD), allow_nan=False))) == GOOD


REJECTED = {
    "duration_mismatch": replace(GOOD, declared_seconds=60.0),
    "decode_errors": replace(GOOD, decode_errors=30),
    "clipping": replace(GOOD, clipped_share=0.02),
    "noise": replace(GOOD, snr_db=9.9),
    "speech_share": replace(GOOD, speech_share=0.29),
    "sample_rate": replace(GOOD, sample_rate=6_000),
    "too_quiet": replace(GOOD, loudness_lufs=-46.0),
    "too_large": replace(GOOD, size_bytes=MOST_BYTES + 1),
    "too_little_speech": replace(GOOD, speech_seconds=9.99),
}
WARNED = {
    "duration_mismatch": replace(GOOD, declared_seconds=44.0),
    "decode_errors": replace(GOOD, decode_errors=1),
    "clipping": replace(GOOD, clipped_share=0.002),
    "noise": replace(GOOD, snr_db=15.0),
    "speech_share": replace(GOOD, speech_share=0.4),
    "bandwidth": replace(GOOD, bandwidth_hz=3_900.0),
    "too_quiet": replace(GOOD, loudness_lufs=-40.0),
    "stopped_early": replace(GOOD, stopped_early=True, declared_seconds=7200.0),
    "little_speech": replace(GOOD, speech_seconds=12.0),
}


@pytest.mark.parametrize("code", REJECTED)
def test_each_rule_rejects_for_its_own_reason(code: str) -> None:
    verdict = judge([REJECTED[code]])
    assert [reason.code for reason in verdict.reasons] == [code]
    assert verdict.warnings == ()
    assert not verdict.ready


@pytest.mark.parametrize("code", WARNED)
def test_the_weaker_form_only_warns(code: str) -> None:
    verdict = judge([WARNED[code]])
    assert verdict.ready
    assert [warning.code for warning in verdict.warnings] == [code]


@pytest.mark.parametrize(
    ("seconds", "said"), [(4.29, "4.2"), (9.99, "9.9"), (0.0, "0.0")], ids=["tenths", "almost", "none"]
)
def test_too_little_speech_is_told_rounded_down(seconds: float, said: str) -> None:
    [reason] = judge([replace(GOOD, speech_seconds=seconds)]).reasons
    assert reason.message == f"{said} s of speech; at least 10 s are needed"


def test_speech_and_size_count_over_all_files() -> None:
    short = replace(GOOD, speech_seconds=4.0, size_bytes=MOST_BYTES // 3 + 1)
    assert [reason.code for reason in judge([short] * 2).reasons] == ["too_little_speech"]
    assert [reason.code for reason in judge([short] * 3).reasons] == ["too_large"]


def test_of_several_files_the_bad_one_is_named() -> None:
    [reason] = judge([GOOD, replace(GOOD, snr_db=3.2)]).reasons
    assert (reason.file, reason.message) == (
        1,
        "file 2: its speech is only 3 dB above the noise; record closer to the microphone or in a quieter room",
    )


def test_silence_is_too_quiet_and_no_speech() -> None:
    silent = replace(
        GOOD, loudness_lufs=None, snr_db=None, speech_seconds=0.0, speech_share=0.0, peak_dbfs=-120.0, rms_dbfs=-120.0
    )
    verdict = judge([silent])
    assert {reason.code for reason in verdict.reasons} == {"too_little_speech", "speech_share", "too_quiet"}
    assert any("silence" in reason.message for reason in verdict.reasons)


def test_a_voice_without_files_is_not_ready() -> None:
    assert [reason.code for reason in judge([]).reasons] == ["too_little_speech"]


def test_where_nothing_is_declared_nothing_can_mismatch() -> None:
    assert judge([replace(GOOD, declared_seconds=None)]).ready


def test_tenths_never_round_up() -> None:
    assert [tenths(value) for value in (9.999, 10.0, 0.05)] == ["9.9", "10.0", "0.0"]
