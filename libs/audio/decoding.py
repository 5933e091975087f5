"""From the bytes of a file to blocks of samples, whatever the bytes are. Only for a process that may be lost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from libs.audio.pyav import open_input

# The names of FFmpeg's demuxers and decoders. Playlists (hls, concat), image and subtitle formats, and everything that
# names other files are not among them; a container that is not listed is refused before its header is read.
_CONTAINERS = "wav,w64,mp3,mov,flac,ogg,matroska,aac"
_CODECS = (
    "aac,alac,flac,mp1float,mp2float,mp3float,mp3,opus,vorbis,"
    "pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_s8,"
    "pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_mulaw,pcm_alaw"
)
_SAMPLE_RATES = range(4_000, 192_001)
_MOST_CHANNELS = 8
_BLOCK_SECONDS = 1
_LOUDEST = np.float32(8)  # times full scale; lossy codecs overshoot by less than twice
_LEAST_SECONDS = 0.1  # what is shorter holds no syllable, and is mostly what damaged files happen to decode to
_MOST_PACKETS_WITHOUT_SOUND = 20_000  # 20 MB in MP3 frames are fewer; only what does not decode gets there

TAKEN = "wav, mp3, m4a, flac, ogg or webm"


class NotAudio(Exception):
    """The file is no audio that is taken; the message says why."""


class AudioFile:
    """The best audio stream of a file. Raises NotAudio.

    Blocks have the file's sample rate and one or two channels (more are mixed down). What they count is complete once
    all were read.
    """

    def __init__(self, content: bytes, *, most_seconds: float) -> None:
        self._container = _open(content)
        self._most_seconds = most_seconds
        stream = self._container.streams.best("audio")
        if not isinstance(stream, av.AudioStream):
            raise NotAudio("there is no audio in the file")
        self._stream = stream
        context = stream.codec_context
        if context.name not in _CODECS.split(","):
            raise NotAudio(f"its audio is encoded as {context.name}, which is not taken; save it as {TAKEN}")
        _check(context.sample_rate, context.channels)
        context.thread_count = 1
        self.container = self._container.format.name.split(",")[0]
        self.codec = context.name
        self.sample_rate = context.sample_rate
        self.channels = context.channels
        self.declared_seconds = self._declared(content)
        self.packets = 0
        self.decode_errors = 0
        self.samples = 0
        self.stopped_early = False

    def blocks(self) -> Iterator[av.AudioFrame]:
        """The audio as planar floats, about a second at a time. Raises NotAudio if no sound comes out."""
        normalizer: av.AudioResampler | None = None
        for frame in self._joined():
            if normalizer is None:
                layout = "mono" if self.channels == 1 else "stereo"
                normalizer = av.AudioResampler("fltp", layout, self.sample_rate)
            yield from map(self._sane, normalizer.resample(frame))
        if normalizer is None or self.samples < _LEAST_SECONDS * self.sample_rate:
            raise NotAudio("there is no sound in the file, or it is too damaged to be decoded")
        yield from map(self._sane, normalizer.resample(None))

    def _sane(self, block: av.AudioFrame) -> av.AudioFrame:
        """Float formats can hold what is no number, or is louder than any sound."""
        samples = samples_of(block)
        finite = np.isfinite(samples)
        self.decode_errors += not finite.all()
        if finite.all() and np.abs(samples).max(initial=0.0) <= _LOUDEST:
            return block
        sane = np.clip(np.where(finite, samples, np.float32(0)), -_LOUDEST, _LOUDEST)
        replaced = av.AudioFrame.from_ndarray(sane, "fltp", block.layout)
        replaced.sample_rate = block.sample_rate
        return replaced

    def _joined(self) -> Iterator[av.AudioFrame]:
        """Frames of a second: many codecs have frames of 20 ms, and each costs some Python."""
        joined = av.AudioFifo()
        size = self.sample_rate * _BLOCK_SECONDS
        shape: tuple[str, str, int] | None = None
        for frame in self._frames():
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if shape is None:
                shape = found
            if found != shape:
                self.decode_errors += 1  # in the middle of a stream this is damage
                continue
            if self.samples + frame.samples > self._most_seconds * self.sample_rate:
                self.stopped_early = True
                break
            self.samples += frame.samples
            self.decode_errors += frame.is_corrupt
            frame.pts = None
            joined.write(frame)
            while joined.samples >= size:
                yield _read(joined, size)
        while self.samples and joined.samples:
            yield _read(joined, min(size, joined.samples))

    def _frames(self) -> Iterator[av.AudioFrame]:
        """What decodes; what does not is counted."""
        for packet in self._packets():
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except av.FFmpegError:
                self.decode_errors += 1
            else:
                for frame in frames:
                    if not self.samples:
                        self._settle(frame)
                    yield frame
            if not self.samples and self.packets > _MOST_PACKETS_WITHOUT_SOUND:
                return

    def _settle(self, frame: av.AudioFrame) -> None:
        """The first frame knows better than the header (AAC doubles its rate, MP3 its channels)."""
        _check(frame.sample_rate, frame.layout.nb_channels)
        self.sample_rate, self.channels = frame.sample_rate, frame.layout.nb_channels

    def _packets(self) -> Iterator[av.Packet[av.AudioStream]]:
        try:
            for packet in self._container.demux(self._stream):
                self.packets += packet.size > 0
                yield packet
        except MemoryError:
            raise
        except av.FFmpegError:
            self.decode_errors += 1

    def _declared(self, content: bytes) -> float | None:
        """What the container promises, in seconds. ADTS and MP3 without a Xing or VBRI header promise nothing."""
        if self.container == "aac":
            return None
        if self.container == "mp3" and not any(mark in content for mark in (b"Xing", b"Info", b"VBRI")):
            return None
        if self.container == "wav" and (seconds := _wav_promise(content)) is not None:
            return seconds
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return None if self._container.duration is None else self._container.duration / av.time_base


def _wav_promise(content: bytes) -> float | None:
    """The duration by a WAV header, which FFmpeg silently corrects when the file is shorter.

    None for the sizes that writers of streams leave there (0, or nearly the largest number), for a file whose data is
    not among the first chunks, and for a rate of 0.
    """
    position, byte_rate = 12, 0
    for _ in range(100):
        name, size = content[position : position + 4], int.from_bytes(content[position + 4 : position + 8], "little")
        if name == b"fmt ":
            byte_rate = int.from_bytes(content[position + 16 : position + 20], "little")
        elif name == b"data":
            return size / byte_rate if byte_rate and 0 < size < 0x7FFF0000 else None
        position += 8 + size + size % 2
    return None


def _open(content: bytes) -> InputContainer:
    try:
        return open_input(
            io.BytesIO(content),
            container_options={
                "format_whitelist": _CONTAINERS,
                "codec_whitelist": _CODECS,
                "protocol_whitelist": "",
                "probesize": "1000000",
                "max_streams": "32",
            },
            io_open=_refuse_to_open,
        )
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError):
        raise NotAudio(f"this is no {TAKEN} file, or it is too damaged to be read") from None


# Any: the arguments of FFmpeg's io_open.
def _refuse_to_open(*_args: Any) -> Any:
    raise PermissionError("a file that was sent may not name another one")


def _check(sample_rate: int, channels: int) -> None:
    if sample_rate not in _SAMPLE_RATES:
        raise NotAudio(
            f"it says that it has {sample_rate} samples a second; "
            f"{_SAMPLE_RATES[0]} to {_SAMPLE_RATES[-1]} are understood"
        )
    if not 1 <= channels <= _MOST_CHANNELS:
        raise NotAudio(f"it says that it has {channels} channels; 1 to {_MOST_CHANNELS} are understood")


def _read(joined: av.AudioFifo, samples: int) -> av.AudioFrame:
    frame = joined.read(samples)
    assert frame is not None
    frame.pts = None
    return frame


class Resampled:
    """A stream of blocks at another rate, mono; `format` is FFmpeg's name of the sample format."""

    def __init__(self, sample_format: str, sample_rate: int) -> None:
        self._resampler = av.AudioResampler(sample_format, "mono", sample_rate)
        self._parts: list[bytes] = []

    def feed(self, block: av.AudioFrame | None) -> None:
        """Take a block."""
        for frame in self._resampler.resample(block):
            self._parts.append(frame.to_ndarray().tobytes())

    def finish(self) -> bytes:
        """All samples; takes no more."""
        self.feed(None)
        return b"".join(self._parts)


def samples_of(block: av.AudioFrame) -> NDArray[np.float32]:
    """(channels, samples), full scale at 1."""
    return np.asarray(block.to_ndarray(), np.float32)
