"""Headers that are right, streams that are prompt, memory that does not grow."""

from __future__ import annotations

import io
import struct
import tracemalloc
import wave

import numpy as np
import pytest

from libs.speech.encoding import Joiner, output_formats, parse_output_format, require_possible, silence
from libs.speech.encoding.g711 import alaw, ulaw
from tests.unit.speech.joined_audio import burst, decode, encode, join

RATE = 22_050
ONE_OF_EACH = ["mp3", "mp3_44100_128", "opus", "ogg", "flac", "aac", "wav", "pcm", "ulaw", "alaw"]
WITH_HEADER = ["mp3_22050_64", "mp3_44100_128", "mp3_8000_32", "opus", "flac", "wav"]


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_live_stream_plays_the_same_as_the_file(name: str) -> None:
    form = parse_output_format(name)
    segments = [encode(form, burst(8000 + 500 * k, 3000, RATE), RATE) for k in range(4)]
    file, live = (decode(form, join(form, segments, live=live)).samples for live in (False, True))
    assert np.array_equal(file, live[: len(file)])


@pytest.mark.parametrize("name", WITH_HEADER)
def test_the_header_of_a_file_knows_its_length(name: str) -> None:
    form = parse_output_format(name)
    segments = [encode(form, burst(8000 + 500 * k, 3000, RATE), RATE) for k in range(4)]
    decoded = decode(form, join(form, segments))
    seconds = len(decoded.samples) / form.sample_rate
    assert decoded.declared_seconds is not None
    # FFmpeg counts what is to be skipped at the beginning of an Ogg stream as duration.
    assert decoded.declared_seconds == pytest.approx(seconds, abs=0.027 if form.codec == "opus" else 1e-4)


def test_a_wav_declares_exactly_its_samples() -> None:
    form = parse_output_format("wav")
    pcm = burst(8000, 3000, RATE)
    with wave.open(io.BytesIO(join(form, [encode(form, pcm, RATE)] * 3))) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (RATE, 1, 2)
        assert reader.readframes(reader.getnframes()) == 3 * pcm


def test_a_live_wav_declares_no_end() -> None:
    head = Joiner(parse_output_format("wav"), None).head()
    assert len(head) == 44
    assert head[4:8] == head[40:44] == b"\xff" * 4


@pytest.mark.parametrize("name", ["mp3", "mp3_44100_128", "mp3_16000_16"])
def test_an_mp3_declares_its_frames_delay_and_padding(name: str) -> None:
    form = parse_output_format(name)
    segments = [encode(form, burst(8000 + 500 * k, 3000, RATE), RATE) for k in range(4)]
    file = join(form, segments)
    at, lame = file.index(b"Info"), file.index(b"LAME")
    frames, size = struct.unpack(">II", file[at + 8 : at + 16])
    gap = int.from_bytes(file[lame + 21 : lame + 24], "big")
    per_frame = 1152 if form.sample_rate >= 32_000 else 576
    assert frames * per_frame - (gap >> 12) - (gap & 0xFFF) == sum(segment.samples for segment in segments)
    assert size == pytest.approx(len(file), abs=len(segments) + 2)


def test_ogg_pages_are_numbered_positioned_and_closed() -> None:
    form = parse_output_format("opus")
    segments = [encode(form, burst(40_000, 3000, RATE), RATE) for _ in range(3)]
    pages: list[tuple[int, int]] = []
    file = join(form, segments)
    at = 0
    while at < len(file):
        magic, _, flags, position, _, number, _, lacing = struct.unpack_from("<4sBBqIIIB", file, at)
        assert (magic, number) == (b"OggS", len(pages))
        pages.append((flags, position))
        at += 27 + lacing + sum(file[at + 27 : at + 27 + lacing])
    assert [flags for flags, _ in pages] == [2, *[0] * (len(pages) - 2), 4]
    positions = [position for _, position in pages]
    assert positions == sorted(positions)
    pre_skip = struct.unpack_from("<H", file, file.index(b"OpusHead") + 10)[0]
    assert positions[-1] - pre_skip == sum(segment.samples for segment in segments)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_stream_says_at_once_what_it_has_got(name: str) -> None:
    form = parse_output_format(name)
    segment = silence(form, 3)
    joiner = Joiner(form, None)
    sent = joiner.head() + joiner.add(segment.data)
    assert len(decode(form, sent).samples) > 2 * form.sample_rate


def test_more_than_a_wav_can_declare_is_refused_with_what_can() -> None:
    form = parse_output_format("wav")
    require_possible(form, 2**31 - 100)
    with pytest.raises(ValueError, match=r"use flac_22050 or an mp3 for 27\.1 hours"):
        Joiner(form, 2**31)
    for other in output_formats():
        if other.codec != "wav":
            require_possible(other, 2**31)


@pytest.mark.parametrize("name", ["mp3", "opus", "flac", "wav"])
def test_a_header_that_would_be_wrong_is_an_error(name: str) -> None:
    form = parse_output_format(name)
    segment = silence(form, 1)
    joiner = Joiner(form, 2 * segment.samples)
    joiner.add(segment.data)
    with pytest.raises(ValueError, match=f"{segment.samples} samples are missing"):
        joiner.finish()


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_memory_does_not_grow_with_the_number_of_segments(name: str) -> None:
    form = parse_output_format(name)
    segment = silence(form, 0.1)
    joiner = Joiner(form, 10_000 * segment.samples)
    joiner.head()
    for _ in range(200):
        joiner.add(segment.data)
    tracemalloc.start()
    try:
        for _ in range(9_800):
            joiner.add(segment.data)
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()
    joiner.finish()


@pytest.mark.parametrize(
    ("sample", "u", "a"),
    [
        (0, 0xFF, 0xD5),
        (-1, 0x7F, 0x55),
        (8, 0xFE, 0xD5),
        (16, 0xFD, 0xD4),
        (-16, 0x7D, 0x55),
        (1000, 0xCE, 0xFA),
        (-1000, 0x4E, 0x7A),
        (32_124, 0x80, 0xAA),
        (32_767, 0x80, 0xAA),
        (-32_768, 0x00, 0x2A),
    ],
)
def test_g711_codes(sample: int, u: int, a: int) -> None:
    pcm = struct.pack("<h", sample)
    assert (ulaw(pcm)[0], alaw(pcm)[0]) == (u, a)


@pytest.mark.parametrize("name", ["ulaw", "alaw"])
def test_g711_is_near_for_every_sample(name: str) -> None:
    form = parse_output_format(name)
    samples = np.arange(-32_768, 32_768)
    encoded = {"ulaw": ulaw, "alaw": alaw}[name](samples.astype("<i2").tobytes())
    decoded = decode(form, encoded).samples * 32_768
    step = np.maximum(np.abs(samples) / 16, 16)
    assert (np.abs(decoded - np.clip(samples, -32_635, 32_635)) <= step).all()
