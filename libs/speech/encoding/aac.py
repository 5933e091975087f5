"""From 16-bit mono PCM to AAC-LC in ADTS frames, which decoders play from any frame on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libs.speech.encoding.resampling import audio_frame

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.codeccontext import AudioCodecContext

_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350)
"""As ADTS counts them (ISO/IEC 13818-7, sampling_frequency_index)."""
_HEADER_BYTES = 7
_PRIMING_PACKETS = 1
"""The encoder begins with a packet of silence, whose length ADTS cannot declare: without it nothing is heard late.

What it would have brought to the first 1,024 samples is missing, so these fade in.
"""


class AacFrames:
    """Takes PCM (s16le) in pieces of any number of samples, gives ADTS frames."""

    def __init__(self, sample_rate: int, bit_rate_kbps: int) -> None:
        """`sample_rate` is one of AAC's, in Hz."""
        from av import AudioResampler

        self._sample_rate = sample_rate
        self._as_floats = AudioResampler(format="fltp", layout="mono", rate=sample_rate)
        self._codec = _encoder(sample_rate, bit_rate_kbps)
        self._samples = 0
        self._to_drop = _PRIMING_PACKETS

    def feed(self, pcm: bytes) -> bytes:
        """Return what is complete by now."""
        if not pcm:
            return b""
        frame = audio_frame(pcm, self._sample_rate, self._samples)
        self._samples += len(pcm) // 2
        return b"".join(self._encode(floats) for floats in self._as_floats.resample(frame))

    def finish(self) -> bytes:
        """Return the rest; the last frame is filled up with silence."""
        return self._encode(None) if self._samples else b""

    def _encode(self, frame: AudioFrame | None) -> bytes:
        packets = [bytes(packet) for packet in self._codec.encode(frame)]
        dropped = min(self._to_drop, len(packets))
        self._to_drop -= dropped
        return b"".join(self._header(len(packet)) + packet for packet in packets[dropped:])

    def _header(self, size: int) -> bytes:
        """Return the header of a frame: MPEG-4, AAC-LC, mono, no checksum, variable fullness."""
        size += _HEADER_BYTES
        profile_and_rate = (1 << 6) | (_RATES.index(self._sample_rate) << 2)
        return bytes(
            (0xFF, 0xF1, profile_and_rate, (1 << 6) | size >> 11, size >> 3 & 0xFF, (size & 7) << 5 | 0x1F, 0xFC)
        )


def _encoder(sample_rate: int, bit_rate_kbps: int) -> AudioCodecContext:
    from av.audio.codeccontext import AudioCodecContext
    from av.codec import CodecContext

    codec = CodecContext.create("aac", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate = sample_rate
    codec.layout = "mono"
    codec.format = "fltp"
    codec.bit_rate = 1000 * bit_rate_kbps
    codec.open()
    return codec
