"""The chunks of a generation, each encoded on its own so that `joining` can put them together without decoding.

The rule on positions: a decoder skips the delay that the header of the joined file declares; after that sample i of
the input of segment k is heard at (the sum of `samples` of the segments before k) + i, scaled to the output's rate.
Segments begin and end in silence; what an encoder adds is taken from the silence at the end, so that pauses stay.
"""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Protocol

from libs.speech.encoding.formats import Codec, OutputFormat, parse_output_format
from libs.speech.encoding.lame import lame_encoder
from libs.speech.encoding.mp3_frames import OVERHANG, FrameLayout
from libs.speech.encoding.resampling import Resampler, audio_frame

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

OPUS_RATE = 48_000
OPUS_PACKET = 960
"""Samples in 20 ms."""
OPUS_DELAY = 312 + OPUS_PACKET
"""Samples to skip: libopus' look-ahead, and the packet of silence that every segment begins with."""
PACKET_LENGTH = struct.Struct(">H")
"""What stands before every packet in the data of an Opus segment."""

_OPUS_OPTIONS = {"application": "audio", "vbr": "constrained", "compression_level": "5", "frame_duration": "20"}
"""`audio` keeps to CELT at all our bit rates, which a packet of silence brings into a known state; it takes a third of
the time of `voip`. Without the constraint synthetic speech takes 1.7 times the bit rate that was asked for.
"""
_QUIET = 2
"""Samples up to this are silence: at -84 dBFS it is what a resampler or a stretcher leaves of zeros."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One chunk in the form of `OutputFormat.segment`."""

    data: bytes
    samples: int
    """How many samples it takes up in the joined audio, at the rate of its form.

    At least what was fed, so that times in the chunk are inside it. If the chunk ends in silence, less than a frame
    more in mp3 (26 ms at 22,050 or 44,100 Hz), a packet more in Opus (20 ms), nothing more in PCM.
    """


class SegmentEncoder(Protocol):
    """Takes the PCM (s16le, mono) of one chunk in pieces of any size."""

    def feed(self, pcm: bytes) -> None:
        """Take the next piece."""

    def finish(self) -> Segment:
        """The segment. Nothing may be fed afterwards."""


def segment_encoder(form: OutputFormat, input_rate: int) -> SegmentEncoder:
    """An encoder into the segments of `form`, fed with samples at `input_rate` Hz."""
    kept = parse_output_format(form.segment)
    if kept.codec is Codec.MP3 and kept.bit_rate_kbps is not None:
        return _Mp3Segment(FrameLayout(kept.sample_rate, kept.bit_rate_kbps), input_rate)
    if kept.codec is Codec.OPUS and kept.bit_rate_kbps is not None:
        return _OpusSegment(kept.bit_rate_kbps, input_rate)
    return _PcmSegment(kept.sample_rate, input_rate)


def silence(form: OutputFormat, seconds: float) -> Segment:
    """A pause, or what a text without sound becomes; to whole frames in mp3 and Opus, at least one."""
    encoder = segment_encoder(form, form.sample_rate)
    second = bytes(2 * form.sample_rate)
    rest = round(seconds * form.sample_rate)
    while rest > 0:
        encoder.feed(second[: 2 * rest])
        rest -= form.sample_rate
    return encoder.finish()


class _PcmSegment:
    """16-bit samples as they are, or resampled."""

    def __init__(self, sample_rate: int, input_rate: int) -> None:
        self._input = Resampler(input_rate, sample_rate)
        self._data = bytearray()

    def feed(self, pcm: bytes) -> None:
        self._data += self._input.feed(pcm)

    def finish(self) -> Segment:
        self._data += self._input.finish()
        return Segment(bytes(self._data), len(self._data) // 2)


class _Mp3Segment:
    """Frames of an encoder of their own, the first of which refers to none before it."""

    def __init__(self, layout: FrameLayout, input_rate: int) -> None:
        self._layout = layout
        self._input = Resampler(input_rate, layout.sample_rate)
        self._tail = _Tail(OVERHANG)
        self._lame = lame_encoder(layout)
        self._frames = bytearray()

    def feed(self, pcm: bytes) -> None:
        self._encode(self._tail.feed(self._input.feed(pcm)))

    def finish(self) -> Segment:
        self._encode(self._tail.feed(self._input.finish()))
        frame = self._layout.samples
        self._encode(self._tail.finish(ceil(self._tail.samples / frame) * frame - OVERHANG))
        self._frames += self._lame.flush()
        return Segment(bytes(self._frames), self._layout.frames_in(self._frames) * frame)

    def _encode(self, pcm: bytes) -> None:
        self._frames += self._lame.encode(pcm)  # also when it is empty: LAME flushes only what it has begun


class _OpusSegment:
    """Packets, each with its length before it. The first is silent: it makes the next ones independent of what a
    decoder has played before, because encoder and decoder begin anew after silence.
    """

    def __init__(self, bit_rate_kbps: int, input_rate: int) -> None:
        rate = OPUS_RATE // 2 if input_rate <= OPUS_RATE // 2 else OPUS_RATE
        self._rate = rate
        self._packet, self._delay = OPUS_PACKET * rate // OPUS_RATE, OPUS_DELAY * rate // OPUS_RATE
        self._codec = _opus_encoder(bit_rate_kbps, rate)
        self._input = Resampler(input_rate, rate)
        self._tail = _Tail(self._delay)
        self._waiting = bytearray(2 * self._packet)
        self._encoded = 0
        self._packets = 0
        self._data = bytearray()

    def feed(self, pcm: bytes) -> None:
        self._encode(self._tail.feed(self._input.feed(pcm)))

    def finish(self) -> Segment:
        self._encode(self._tail.feed(self._input.finish()))
        self._encode(self._tail.finish(ceil(self._tail.samples / self._packet) * self._packet - self._delay))
        # The decoder is this late: as much silence brings the rest of the speech out, to the end of a packet.
        late = len(self._waiting) // 2 + self._delay - self._packet
        self._encode(bytes(2 * ceil(late / self._packet) * self._packet - len(self._waiting)))
        return Segment(bytes(self._data), self._packets * OPUS_PACKET)

    def _encode(self, pcm: bytes) -> None:
        """Encode the whole packets among what waits."""
        self._waiting += pcm
        whole = len(self._waiting) // (2 * self._packet) * 2 * self._packet
        if whole:
            frame = audio_frame(bytes(memoryview(self._waiting)[:whole]), self._rate, self._encoded)
            self._encoded += whole // 2
            del self._waiting[:whole]
            for packet in self._codec.encode(frame):
                self._packets += 1
                self._data += PACKET_LENGTH.pack(packet.size) + bytes(packet)


def _opus_encoder(bit_rate_kbps: int, sample_rate: int) -> AudioCodecContext:
    from av.audio.codeccontext import AudioCodecContext
    from av.codec import CodecContext

    codec = CodecContext.create("libopus", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate = sample_rate
    codec.layout = "mono"
    codec.format = "s16"
    codec.bit_rate = 1000 * bit_rate_kbps
    codec.options = _OPUS_OPTIONS
    return codec


class _Tail:
    """Holds back the last samples until it is known whether they are the end of the chunk and how quiet they are."""

    def __init__(self, most: int) -> None:
        self._most_bytes = 2 * most
        self._held = bytearray()
        self._passed_bytes = 0

    @property
    def samples(self) -> int:
        """How many were fed."""
        return (self._passed_bytes + len(self._held)) // 2

    def feed(self, pcm: bytes) -> bytes:
        """What cannot be part of the tail."""
        self._held += pcm
        cut = max(0, len(self._held) - self._most_bytes)
        passed = bytes(memoryview(self._held)[:cut])
        del self._held[:cut]
        self._passed_bytes += cut
        return passed

    def finish(self, wanted: int) -> bytes:
        """The tail, without so much of the silence at its end that `wanted` samples are left in all."""
        held = array("h", bytes(self._held))
        if sys.byteorder == "big":
            held.byteswap()
        loud = len(held)
        while loud and -_QUIET <= held[loud - 1] <= _QUIET:
            loud -= 1
        keep = min(max(wanted - self._passed_bytes // 2, loud), len(held))
        return bytes(memoryview(self._held)[: 2 * keep])
