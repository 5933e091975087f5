"""Where segments are heard once they are joined: what was spoken, nothing more, in its place."""

from __future__ import annotations

import numpy as np
import pytest

from libs.speech.encoding import OutputFormat, output_formats, parse_output_format, segment_encoder, silence
from tests.unit.speech.joined_audio import burst, decode, encode, heard_at, join

FORMATS = [
    "mp3_22050_64", "mp3_44100_128", "mp3_44100_32", "mp3_24000_48", "mp3_8000_16", "mp3_48000_320", "opus_48000_64",
    "opus_48000_24", "opus_48000_192", "ogg_48000_64", "flac_22050", "flac_44100", "aac_24000_64", "aac_44100_128",
    "aac_22050_24", "wav_22050", "wav_48000", "pcm_22050", "pcm_16000", "ulaw_8000", "alaw_8000", "alaw_44100",
]  # fmt: skip
INPUT_RATE = 22_050
CHUNKS = 5
NEAR_SILENCE = 0.002  # -54 dBFS; the level of A-law's smallest step is 0.0002


def chunk_samples(number: int) -> int:
    return INPUT_RATE // 2 + number * 1234


def middle(number: int) -> int:
    return int(INPUT_RATE * (0.06 + 0.05 * number))


def most_more(form: OutputFormat) -> int:
    """By how many samples a segment that ends in silence may be longer than its input."""
    if form.codec == "mp3":
        return 1152 if form.sample_rate >= 32_000 else 576
    return 960 if form.segment.startswith("opus") else 1


def last_frame(form: OutputFormat) -> int:
    """How long the last frame is that a file is filled up to, in samples: AAC in ADTS cannot say where it ends."""
    return 1024 if form.codec == "aac" else 1


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("live", [False, True], ids=["file", "live"])
def test_each_chunk_is_heard_where_the_samples_before_it_say(name: str, live: bool) -> None:
    form = parse_output_format(name)
    segments = [encode(form, burst(chunk_samples(k), middle(k), INPUT_RATE), INPUT_RATE) for k in range(CHUNKS)]
    decoded = decode(form, join(form, segments, live=live))
    assert decoded.rate == form.sample_rate
    scale = form.sample_rate / INPUT_RATE
    before = 0
    for number, segment in enumerate(segments):
        expected = before + middle(number) * scale
        assert heard_at(decoded, expected) == pytest.approx(expected, abs=0.001 * form.sample_rate)
        more = segment.samples * INPUT_RATE - chunk_samples(number) * form.sample_rate
        assert 0 <= more <= most_more(form) * INPUT_RATE
        before += segment.samples
    if live and form.codec == "mp3":
        assert before <= len(decoded.samples) < before + 1152
    else:
        assert 0 <= len(decoded.samples) - before < last_frame(form)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_heard_where_segments_meet(name: str) -> None:
    form = parse_output_format(name)
    segments = [encode(form, burst(chunk_samples(k), middle(k), INPUT_RATE), INPUT_RATE) for k in range(CHUNKS)]
    decoded = decode(form, join(form, segments))
    border = 0
    for segment in segments[:-1]:
        border += segment.samples
        around = decoded.samples[border - form.sample_rate // 50 : border + form.sample_rate // 50]
        assert np.abs(around).max() < NEAR_SILENCE


@pytest.mark.parametrize("name", ["mp3_22050_64", "mp3_44100_128", "opus_48000_24", "opus_48000_64", "flac_22050"])
def test_a_chunk_sounds_the_same_whatever_was_before_it(name: str) -> None:
    form = parse_output_format(name)
    random = np.random.default_rng(7)
    loudness = [[(4, 700), (level, 9000), (4, 4000)] for level in (100, 6000, 1000)]
    chunks = [np.concatenate([random.normal(0, *part) for part in chunk]) for chunk in loudness]
    segments = [encode(form, chunk.astype("<i2").tobytes(), INPUT_RATE) for chunk in chunks]
    joined = decode(form, join(form, segments)).samples
    before = 0
    for segment in segments:
        alone = decode(form, join(form, [segment])).samples
        difference = joined[before : before + segment.samples] - alone
        assert np.sqrt(np.mean(difference**2)) < 0.01 * np.sqrt(np.mean(alone**2))
        before += segment.samples


@pytest.mark.parametrize("input_rate", [8000, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("name", ["mp3_22050_64", "mp3_44100_128", "opus_48000_64", "pcm_24000"])
def test_an_engine_may_have_any_rate(name: str, input_rate: int) -> None:
    form = parse_output_format(name)
    at = input_rate // 3
    segments = [encode(form, burst(input_rate // 2, at, input_rate), input_rate) for _ in range(2)]
    decoded = decode(form, join(form, segments))
    for before in (0, segments[0].samples):
        expected = before + at * form.sample_rate / input_rate
        assert heard_at(decoded, expected) == pytest.approx(expected, abs=0.001 * form.sample_rate)


@pytest.mark.parametrize("name", ["opus_48000_32", "opus_48000_64", "opus_48000_128"])
def test_opus_keeps_to_its_bit_rate(name: str) -> None:
    form = parse_output_format(name)
    pulses = np.zeros(5 * INPUT_RATE, dtype="<i2")
    pulses[:: INPUT_RATE // 110] = 25_000  # as even as a synthetic voice
    segment = encode(form, pulses.tobytes(), INPUT_RATE)
    assert form.bit_rate_kbps is not None
    assert len(segment.data) * 8 / 1000 / (segment.samples / form.sample_rate) < 1.1 * form.bit_rate_kbps


@pytest.mark.parametrize("name", FORMATS)
def test_speech_to_the_very_end_of_a_chunk_is_heard_to_its_end(name: str) -> None:
    form = parse_output_format(name)
    length = INPUT_RATE // 4
    at = length - int(0.011 * INPUT_RATE)
    segments = [encode(form, burst(length, at, INPUT_RATE), INPUT_RATE) for _ in range(2)]
    decoded = decode(form, join(form, segments))
    scale = form.sample_rate / INPUT_RATE
    for before in (0, segments[0].samples):
        expected = before + at * scale
        assert heard_at(decoded, expected) == pytest.approx(expected, abs=0.001 * form.sample_rate)
        assert segments[0].samples >= length * scale


@pytest.mark.parametrize("name", ["mp3_22050_64", "mp3_44100_128", "opus_48000_64", "pcm_22050", "pcm_48000"])
@pytest.mark.parametrize("piece_bytes", [1, 333, 100_000], ids=["bytes", "odd", "whole"])
def test_the_size_of_the_pieces_makes_no_difference(name: str, piece_bytes: int) -> None:
    form = parse_output_format(name)
    pcm = burst(5000, 2000, INPUT_RATE)
    pieces, whole = encode(form, pcm, INPUT_RATE, piece_bytes), encode(form, pcm, INPUT_RATE, len(pcm))
    assert pieces.samples == whole.samples
    decoded, expected = (decode(form, join(form, [segment])).samples for segment in (pieces, whole))
    assert np.abs(decoded - expected).max() < 0.001


@pytest.mark.parametrize("name", FORMATS)
def test_a_pause_lasts_as_long_as_was_asked(name: str) -> None:
    form = parse_output_format(name)
    pause = silence(form, 1.5)
    assert 0 <= pause.samples - 1.5 * form.sample_rate <= most_more(form)
    decoded = decode(form, join(form, [pause, pause]))
    assert 0 <= len(decoded.samples) - 2 * pause.samples < last_frame(form)
    assert np.abs(decoded.samples).max() < NEAR_SILENCE


@pytest.mark.parametrize("name", FORMATS)
def test_a_chunk_without_samples_joins_too(name: str) -> None:
    form = parse_output_format(name)
    empty = segment_encoder(form, INPUT_RATE).finish()
    spoken = encode(form, burst(5000, 2000, INPUT_RATE), INPUT_RATE)
    decoded = decode(form, join(form, [empty, spoken, empty]))
    assert 0 <= len(decoded.samples) - 2 * empty.samples - spoken.samples < last_frame(form)
    assert empty.samples / form.sample_rate < 0.25


def test_every_form_of_segment_is_encoded_and_read_back() -> None:
    pcm = burst(3000, 1500, INPUT_RATE)
    for name in {form.segment for form in output_formats()}:
        form = parse_output_format(name)
        segment = encode(form, pcm, INPUT_RATE)
        decoded = decode(form, join(form, [segment, segment]))
        assert len(decoded.samples) == 2 * segment.samples, name
        for before in (0, segment.samples):
            expected = before + 1500 * form.sample_rate / INPUT_RATE
            assert heard_at(decoded, expected) == pytest.approx(expected, abs=0.002 * form.sample_rate), name
