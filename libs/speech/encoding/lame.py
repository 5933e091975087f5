"""LAME, set up for speech."""

from __future__ import annotations

from typing import Protocol, cast

from libs.speech.encoding.mp3_frames import FrameLayout

QUALITY = 7
"""LAME's 0 (best) to 9. At 64 kbit/s mono 7 takes 40 ms for 28 s of speech; 5 is slower and, for speech, no better."""


class Lame(Protocol):
    """What we use of `lameenc.Encoder`, which has no types."""

    def encode(self, pcm: bytes | bytearray | memoryview, /) -> bytearray:
        """Take 16-bit samples, give the frames that are complete."""

    def flush(self) -> bytearray:
        """The rest. Nothing may be encoded afterwards."""


def lame_encoder(layout: FrameLayout) -> Lame:
    """An encoder of mono PCM into frames of `layout`, at whose rate the samples are: LAME resamples ten times slower
    than `resampling`.
    """
    import lameenc

    lame = lameenc.Encoder()
    lame.silence()
    lame.set_channels(1)
    lame.set_in_sample_rate(layout.sample_rate)
    lame.set_out_sample_rate(layout.sample_rate)
    lame.set_bit_rate(layout.bit_rate_kbps)
    lame.set_quality(QUALITY)
    return cast("Lame", lame)
