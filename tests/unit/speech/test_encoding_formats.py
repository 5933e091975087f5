"""Names of formats, read and written."""

from __future__ import annotations

import pytest

from libs.speech.encoding import Codec, OutputFormat, output_formats, parse_output_format

ELEVENLABS = [
    "mp3_22050_32", "mp3_24000_48", "mp3_44100_32", "mp3_44100_64", "mp3_44100_96", "mp3_44100_128", "mp3_44100_192",
    "pcm_8000", "pcm_16000", "pcm_22050", "pcm_24000", "pcm_32000", "pcm_44100", "pcm_48000", "ulaw_8000", "alaw_8000",
    "opus_48000_32", "opus_48000_64", "opus_48000_96", "opus_48000_128", "opus_48000_192",
    "wav_8000", "wav_16000", "wav_22050", "wav_24000", "wav_32000", "wav_44100", "wav_48000",
]  # fmt: skip


@pytest.mark.parametrize("name", ELEVENLABS)
def test_the_names_that_elevenlabs_clients_send_are_canonical(name: str) -> None:
    assert parse_output_format(name).name == name


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("mp3", "mp3_22050_64"),
        ("wav", "wav_22050"),
        ("opus", "opus_48000_64"),
        ("ogg", "ogg_48000_64"),
        ("flac", "flac_22050"),
        ("pcm", "pcm_24000"),
        ("ulaw", "ulaw_8000"),
        ("alaw", "alaw_8000"),
    ],
)
def test_short_names_stand_for_full_ones(short: str, name: str) -> None:
    assert parse_output_format(short).name == name


def test_every_format_is_read_from_its_name_and_kept_in_a_form_that_is_one() -> None:
    assert {form.codec for form in output_formats()} == set(Codec)
    for form in output_formats():
        assert parse_output_format(form.name) == form
        kept = parse_output_format(form.segment)
        assert kept.segment == form.segment
        assert kept.sample_rate == form.sample_rate


@pytest.mark.parametrize(
    ("name", "segment", "extension", "content_type"),
    [
        ("mp3_44100_128", "mp3_44100_128", "mp3", "audio/mpeg"),
        ("opus_48000_96", "opus_48000_96", "opus", "audio/ogg; codecs=opus"),
        ("ogg_48000_96", "opus_48000_96", "ogg", "audio/ogg; codecs=opus"),
        ("wav_16000", "pcm_16000", "wav", "audio/wav"),
        ("flac_16000", "pcm_16000", "flac", "audio/flac"),
        ("pcm_16000", "pcm_16000", "pcm", "audio/pcm;rate=16000"),
        ("ulaw_8000", "pcm_8000", "ulaw", "audio/basic"),
        ("ulaw_16000", "pcm_16000", "ulaw", "audio/PCMU;rate=16000"),
        ("alaw_8000", "pcm_8000", "alaw", "audio/PCMA;rate=8000"),
    ],
)
def test_what_a_format_says_of_itself(name: str, segment: str, extension: str, content_type: str) -> None:
    form = parse_output_format(name)
    assert (form.segment, form.extension, form.content_type) == (segment, extension, content_type)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("wma", "mp3, wav, opus, ogg, flac, aac, pcm, ulaw, alaw"),
        ("", "mp3_44100_128"),
        ("MP3", "mp3"),
        ("mp3_44100", "mp3_22050_64"),
        ("mp3_44100_x", "mp3_22050_64"),
        ("mp3_44100_１２８", "mp3_22050_64"),
        ("mp3_044100_128", "use mp3_44100_128"),
        ("mp3_44100_100", "96, 112, 128"),
        ("mp3_22050_192", "144, 160"),
        ("mp3_7000_64", "8000, 11025"),
        ("opus_24000_64", "48000"),
        ("wav_22050_64", "wav_22050"),
        ("wav_96000", "44100, 48000"),
        ("pcm_" + "9" * 5000, "44100, 48000"),
    ],
    ids=lambda text: text[:16] or "empty",
)
def test_a_name_that_is_none_is_answered_with_what_is_possible(name: str, names: str) -> None:
    with pytest.raises(ValueError, match=names):
        parse_output_format(name)


def test_a_bit_rate_is_refused_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="wav_22050"):
        OutputFormat(Codec.WAV, 22_050, 64)
