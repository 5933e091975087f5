from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.voice.domain import NotAudio, RecordingTooShort, check_recording, measure_wav, tenths
from tests.unit.voice.wav import layout, riff, silence

PCM_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def extensible(kind: int) -> bytes:
    return struct.pack("<HHIH", 22, 16, 0, kind) + PCM_GUID_TAIL


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_duration_is_samples_by_rate(rate: int, channels: int, bits: int) -> None:
    recording = measure_wav(silence(0.5, rate=rate, channels=channels, bits=bits))
    assert (recording.duration_seconds, recording.sample_rate, recording.channels) == (0.5, rate, channels)


def test_what_other_programs_write_is_understood() -> None:
    samples = bytes(32_000)
    as_float = riff((b"fmt ", layout(kind=3, bits=32)), (b"fact", bytes(4)), (b"data", samples))
    assert measure_wav(as_float).duration_seconds == 0.5
    as_extensible = riff((b"fmt ", layout(kind=0xFFFE, more=extensible(1))), (b"data", samples))
    assert measure_wav(as_extensible).duration_seconds == 1.0
    with_notes = riff(
        (b"JUNK", bytes(27)), (b"LIST", b"INFO"), (b"fmt ", layout()), (b"bext", b"x"), (b"data", samples)
    )
    assert measure_wav(with_notes).duration_seconds == 1.0


def test_a_stream_s_unknown_length_is_measured_not_believed() -> None:
    streamed = bytearray(silence(12))
    streamed[4:8] = streamed[40:44] = b"\xff\xff\xff\xff"
    assert measure_wav(bytes(streamed)).duration_seconds == 12
    assert measure_wav(bytes(streamed[: 44 + 32_000])).duration_seconds == 1


REFUSED = {
    "nothing": (b"", "not a WAV file"),
    "text": (b"hello", "not a WAV file"),
    "another RIFF": (b"RIFF\x04\0\0\0AVI ", "not a WAV file"),
    "big-endian": (b"RIFX" + silence(1)[4:], "not a WAV file"),
    "head alone": (silence(1)[:12], "damaged"),
    "no samples": (riff((b"fmt ", layout())), "damaged"),
    "samples of unknown kind": (riff((b"data", bytes(100))), "damaged"),
    "format cut off": (riff((b"fmt ", layout()[:15]), (b"data", bytes(100))), "damaged"),
    "mp3 inside": (riff((b"fmt ", layout(kind=0x55)), (b"data", bytes(100))), "no PCM"),
    "µ-law": (riff((b"fmt ", layout(kind=7, bits=8)), (b"data", bytes(100))), "no PCM"),
    "extensible without its kind": (riff((b"fmt ", layout(kind=0xFFFE)), (b"data", bytes(100))), "no PCM"),
    "extensible mp3": (riff((b"fmt ", layout(kind=0xFFFE, more=extensible(0x55))), (b"data", b"")), "no PCM"),
    "12 bits": (riff((b"fmt ", layout(bits=12)), (b"data", bytes(100))), "no PCM"),
    "no channels": (riff((b"fmt ", layout(channels=0)), (b"data", bytes(100))), "0 channels"),
    "9 channels": (riff((b"fmt ", layout(channels=9)), (b"data", bytes(100))), "9 channels"),
    "0 Hz": (riff((b"fmt ", layout(rate=0)), (b"data", bytes(100))), "0 samples a second"),
    "1 Hz": (riff((b"fmt ", layout(rate=1)), (b"data", bytes(100))), "1 samples a second"),
    "200 kHz": (riff((b"fmt ", layout(rate=200_000)), (b"data", bytes(100))), "200000 samples"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_recording_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(NotAudio, match=reason):
        measure_wav(content)


def test_many_empty_chunks_are_not_followed_for_ever() -> None:
    with pytest.raises(NotAudio, match="damaged"):
        measure_wav(riff(*[(b"JUNK", b"")] * 100_000, (b"fmt ", layout()), (b"data", bytes(400_000))))


@given(st.binary(max_size=200), st.integers(0, 80), st.binary(max_size=12))
def test_no_file_is_more_than_refused(tail: bytes, cut: int, patch: bytes) -> None:
    whole = silence(0.01) + tail
    damaged = whole[:cut] + patch + whole[cut + len(patch) :]
    for content in (damaged, damaged[: cut + 8], b"RIFF\0\0\0\0WAVE" + tail):
        try:
            recording = measure_wav(content)
        except NotAudio:
            continue
        assert 0 <= recording.duration_seconds <= len(content) / 8_000


def test_ten_seconds_are_enough_and_a_sample_less_is_not() -> None:
    assert check_recording(silence(10)).duration_seconds == 10
    with pytest.raises(RecordingTooShort) as caught:
        check_recording(silence(10 - 1 / 16_000))
    assert tenths(caught.value.seconds) == "9.9"


def test_seconds_are_told_rounded_down() -> None:
    assert [tenths(value) for value in (0, 4.25, 9.999, 10)] == ["0.0", "4.2", "9.9", "10.0"]
