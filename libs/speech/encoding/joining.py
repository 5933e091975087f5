"""From segments to one file or one live stream, in memory that does not grow."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from libs.speech.encoding.aac import AacFrames
from libs.speech.encoding.formats import Codec, OutputFormat
from libs.speech.encoding.g711 import alaw, ulaw
from libs.speech.encoding.mp3_frames import DECODER_DELAY, ENCODER_DELAY, OVERHANG, FrameLayout, info_frame
from libs.speech.encoding.ogg import OggOpusPages
from libs.speech.encoding.resampling import audio_frame
from libs.speech.encoding.segments import OPUS_DELAY, OPUS_PACKET, OPUS_RATE, PACKET_LENGTH

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

_UNKNOWN_SIZE = 0xFFFFFFFF
_WAV_HEADER_REST = 36  # bytes that the RIFF chunk has besides the samples
_SILENT_OPUS = b"\xf8\xff\xfe"
"""20 ms of silence, mono, full band (CELT)."""
_FLAC_TOTAL = slice(13, 18)  # of STREAMINFO; the first half of the first byte belongs to the bits a sample


class Joiner:
    """Joins segments that were made for `form` in order.

    `total_samples` is the sum of the segments' `samples`, and the header of the file says so; None makes a live stream
    whose length no header knows. The parts, one after another, are the file. Raises ValueError for a length that the
    format cannot declare, and when the segments turn out to be another length than was said.
    """

    def __init__(self, form: OutputFormat, total_samples: int | None) -> None:
        if total_samples is not None:
            require_possible(form, total_samples)
        self._form = form
        self._missing = total_samples
        self._joint = _joint(form, total_samples)

    def head(self) -> bytes:
        """What comes before the first segment."""
        return self._joint.head()

    def add(self, segment_data: bytes) -> bytes:
        """What can be sent once this segment is there."""
        data, samples = self._joint.add(segment_data)
        if self._missing is not None:
            self._missing -= samples
        return data

    def finish(self) -> bytes:
        """What comes after the last segment."""
        if self._missing:
            raise ValueError(
                f"the header of this {self._form.name} says another length: {self._missing} samples are missing; "
                "pass the sum of the segments' samples"
            )
        return self._joint.finish()


def require_possible(form: OutputFormat, samples: int) -> None:
    """Raises ValueError if no file of this format can be that long, naming what can."""
    if form.codec is Codec.WAV and 2 * samples + _WAV_HEADER_REST >= _UNKNOWN_SIZE:
        longest = (_UNKNOWN_SIZE - _WAV_HEADER_REST) // 2 / form.sample_rate / 3600
        raise ValueError(
            f"a wav file holds at most 4 GiB, {longest:.1f} hours at {form.sample_rate} Hz: "
            f"use flac_{form.sample_rate} or an mp3 for {samples / form.sample_rate / 3600:.1f} hours"
        )


class _Joint(Protocol):
    def head(self) -> bytes: ...

    def add(self, segment: bytes) -> tuple[bytes, int]:
        """The bytes, and how many samples the segment has."""

    def finish(self) -> bytes: ...


def _joint(form: OutputFormat, total: int | None) -> _Joint:
    match form.codec:
        case Codec.MP3:
            assert form.bit_rate_kbps is not None
            return _Mp3(FrameLayout(form.sample_rate, form.bit_rate_kbps), total)
        case Codec.OPUS | Codec.OGG:
            return _Opus()
        case Codec.FLAC:
            return _Flac(form.sample_rate, total)
        case Codec.WAV:
            return _Raw(_wav_header(form.sample_rate, total), bytes)
        case Codec.AAC:
            assert form.bit_rate_kbps is not None
            return _Aac(form.sample_rate, form.bit_rate_kbps)
        case Codec.PCM:
            return _Raw(b"", bytes)
        case Codec.ULAW:
            return _Raw(b"", ulaw)
        case Codec.ALAW:
            return _Raw(b"", alaw)


def _wav_header(sample_rate: int, total: int | None) -> bytes:
    """RIFF WAVE, 16-bit PCM. A live stream has the size that players take for "until it ends"."""
    size = _UNKNOWN_SIZE if total is None else 2 * total
    riff_size = _UNKNOWN_SIZE if total is None else size + _WAV_HEADER_REST
    form = struct.pack("<IHHIIHH", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return struct.pack("<4sI8s", b"RIFF", riff_size, b"WAVEfmt ") + form + struct.pack("<4sI", b"data", size)


class _Raw:
    def __init__(self, header: bytes, convert: Callable[[bytes], bytes]) -> None:
        self._header = header
        self._convert = convert

    def head(self) -> bytes:
        return self._header

    def add(self, segment: bytes) -> tuple[bytes, int]:
        return self._convert(segment), len(segment) // 2

    def finish(self) -> bytes:
        return b""


class _Mp3:
    """The frames as they are, after an Info frame. Silent frames at the end bring out what the decoder holds back."""

    def __init__(self, layout: FrameLayout, total: int | None) -> None:
        self._layout = layout
        self._total = total
        self._silent_frames = OVERHANG // layout.samples

    def head(self) -> bytes:
        if self._total is None:
            return info_frame(self._layout, None, 0, 0)
        frames = self._total // self._layout.samples + self._silent_frames
        padding = OVERHANG - ENCODER_DELAY
        assert padding >= DECODER_DELAY
        return info_frame(self._layout, frames, round(frames * self._layout.mean_bytes), padding)

    def add(self, segment: bytes) -> tuple[bytes, int]:
        return segment, self._layout.frames_in(segment) * self._layout.samples

    def finish(self) -> bytes:
        return self._silent_frames * self._layout.silent_frame()


class _Opus:
    """The packets as they are, in Ogg pages, which say what is known when they are written: live or not is the same."""

    def __init__(self) -> None:
        self._pages = OggOpusPages(OPUS_DELAY, OPUS_PACKET)

    def head(self) -> bytes:
        return self._pages.head(OPUS_RATE)

    def add(self, segment: bytes) -> tuple[bytes, int]:
        packets = list(_packets(segment))
        return self._pages.add(packets), len(packets) * OPUS_PACKET

    def finish(self) -> bytes:
        return self._pages.finish(_SILENT_OPUS)


def _packets(segment: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(segment):
        (size,) = PACKET_LENGTH.unpack_from(segment, at)
        at += PACKET_LENGTH.size
        yield segment[at : at + size]
        at += size


class _Flac:
    """PCM encoded as one stream. The header leaves out the checksum of all samples, which is known only at the end."""

    def __init__(self, sample_rate: int, total: int | None) -> None:
        self._sample_rate = sample_rate
        self._total = total or 0  # 0 is "unknown"
        self._samples = 0
        self._codec = _flac_encoder(sample_rate)

    def head(self) -> bytes:
        self._codec.open()
        info = bytearray(self._codec.extradata or b"")
        total = int.from_bytes(info[_FLAC_TOTAL], "big") | self._total
        info[_FLAC_TOTAL] = total.to_bytes(5, "big")
        return b"fLaC" + bytes([0x80]) + len(info).to_bytes(3, "big") + info  # 0x80: the last metadata block

    def add(self, segment: bytes) -> tuple[bytes, int]:
        if not segment:
            return b"", 0
        frame = audio_frame(segment, self._sample_rate, self._samples)
        self._samples += len(segment) // 2
        return b"".join(map(bytes, self._codec.encode(frame))), len(segment) // 2

    def finish(self) -> bytes:
        return b"".join(map(bytes, self._codec.encode(None)))


def _flac_encoder(sample_rate: int) -> AudioCodecContext:
    from av.audio.codeccontext import AudioCodecContext
    from av.codec import CodecContext

    codec = CodecContext.create("flac", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate = sample_rate
    codec.layout = "mono"
    codec.format = "s16"
    return codec


class _Aac:
    """PCM encoded as one stream; the frames' headers know no length, so live or not is the same."""

    def __init__(self, sample_rate: int, bit_rate_kbps: int) -> None:
        self._frames = AacFrames(sample_rate, bit_rate_kbps)

    def head(self) -> bytes:
        return b""

    def add(self, segment: bytes) -> tuple[bytes, int]:
        return self._frames.feed(segment), len(segment) // 2

    def finish(self) -> bytes:
        return self._frames.finish()
