"""Files that players read, as long as what was fed."""

from __future__ import annotations

import io
import math
import struct
import wave

import pytest

from libs.speech.encoding import Mp3Encoder, WavEncoder

RATE = 22_050


def pcm(seconds: float) -> bytes:
    return b"".join(struct.pack("<h", int(8000 * math.sin(number / 20))) for number in range(int(RATE * seconds)))


def test_a_wav_holds_the_samples_as_they_are() -> None:
    encoder = WavEncoder(RATE)
    sound = pcm(0.3)
    encoder.feed(sound[:1000])
    encoder.feed(sound[1000:])
    with wave.open(io.BytesIO(bytes(encoder.finish()))) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (RATE, 1, 2)
        assert reader.readframes(reader.getnframes()) == sound


@pytest.mark.parametrize("seconds", [0.05, 1.0, 3.3])
def test_an_mp3_declares_its_delay_and_padding(seconds: float) -> None:
    encoder = Mp3Encoder(RATE)
    sound = pcm(seconds)
    encoder.feed(sound)
    file = bytes(encoder.finish())
    assert file[0] == 0xFF
    assert file[1] & 0xE0 == 0xE0
    at = file.index(b"Info")
    frames = struct.unpack(">I", file[at + 8 : at + 12])[0]
    lame = file.index(b"LAME3.100")
    gap = int.from_bytes(file[lame + 21 : lame + 24], "big")
    delay, padding = gap >> 12, gap & 0xFFF
    assert frames * 576 - delay - padding == len(sound) // 2
