"""What files hold, whatever they are called. Only for a process that may be lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from libs.audio.pyav import open_input
from services.storage.domain.content import ContentRefused, Found, MediaKind

TEXT_MOST_BYTES = 16 * 2**20
TEXT_TYPES = ("text/plain", "text/markdown", "text/html", "text/vtt", "application/x-subrip")
MOST_PIXELS = 100_000_000
MOST_AUDIO_SECONDS, MOST_PICTURES = 600.0, 60
"""So much is decoded; of the rest it is made sure that it is there."""
_MISSING_SHARE, _MISSING_SECONDS = 0.02, 1.0
"""By how much what is there may miss what the container promises: encoders' delays and padding are less."""

# The names of FFmpeg's demuxers and decoders. Playlists, subtitles and everything that names other files are not among
# them; a container that is not listed is refused before its header is read.
_SOUND = (
    "aac,alac,flac,mp1float,mp2float,mp3float,mp3,opus,vorbis,"
    "pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_s8,"
    "pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_mulaw,pcm_alaw"
)
_PICTURES = "h264,hevc,vp8,vp9,libdav1d,libaom-av1,av1,mpeg4,theora,mjpeg,png"
_CONTAINERS = {
    MediaKind.AUDIO: "wav,w64,mp3,mov,flac,ogg,matroska,aac",
    MediaKind.VIDEO: "mov,matroska,ogg",
    MediaKind.IMAGE: "png_pipe,jpeg_pipe,webp_pipe,gif",
}
_CODECS = {
    MediaKind.AUDIO: f"{_SOUND},mjpeg,png",  # the picture of an album
    MediaKind.VIDEO: f"{_SOUND},{_PICTURES}",
    MediaKind.IMAGE: "png,mjpeg,webp,gif",
}
_TYPES = {
    "wav": "audio/wav",
    "w64": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "aac": "audio/aac",
    "png_pipe": "image/png",
    "jpeg_pipe": "image/jpeg",
    "webp_pipe": "image/webp",
    "gif": "image/gif",
}
_FAMILIES = {"mov": "mp4", "matroska": "webm", "ogg": "ogg"}
_ENDS = {"image/png": b"IEND", "image/jpeg": b"\xff\xd9", "image/gif": b"\x00;"}
_TAIL_BYTES = 1 << 16
"""Some programs write something of their own behind a picture."""
TAKEN = {
    MediaKind.AUDIO: "wav, mp3, m4a, flac, ogg or webm",
    MediaKind.VIDEO: "mp4, mov, webm, mkv or ogv",
    MediaKind.IMAGE: "png, jpeg, webp or gif",
    MediaKind.DOCUMENT: "PDF, or text in UTF-8",
}


def look_into(file: BinaryIO, size: int, kind: MediaKind, content_type: str) -> Found:
    """Say what a file of `size` bytes is. Raises ContentRefused."""
    if kind is MediaKind.DOCUMENT:
        return _document(file, size, content_type)
    beginning = file.read(64)
    file.seek(0)
    container = _open(file, kind)
    if kind is MediaKind.IMAGE:
        found = _image(container)
        if not _is_whole(found.content_type, file, size):
            raise ContentRefused("the picture breaks off before its end; export it again")
        return found
    return _recording(container, kind, is_webm=b"webm" in beginning)


def _document(file: BinaryIO, size: int, content_type: str) -> Found:
    beginning = file.read(1024)
    if b"%PDF-" in beginning:
        return _pdf(file)
    if content_type == "application/pdf":
        raise ContentRefused("it was announced as a PDF, and it does not begin as one")
    if size > TEXT_MOST_BYTES:
        raise ContentRefused(f"it is a text of {size} bytes; at most {TEXT_MOST_BYTES} are taken")
    try:
        text = (beginning + file.read()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContentRefused(
            f"it is neither a PDF nor text in UTF-8: byte {error.start} belongs to no character"
        ) from None
    if "\0" in text:
        raise ContentRefused(f"it is neither a PDF nor text: character {text.index(chr(0))} is a NUL")
    if not text.strip():
        raise ContentRefused("it has nothing but white space in it")
    return Found(content_type if content_type in TEXT_TYPES else "text/plain")


def _pdf(file: BinaryIO) -> Found:
    file.seek(0)
    try:
        reader = PdfReader(file, strict=False)
        # Many forbid only printing or copying, and open without a password.
        if reader.is_encrypted and not reader.decrypt(""):
            raise ContentRefused("the PDF is protected by a password; save it without")
        pages = len(reader.pages)
    except NotImplementedError:  # pypdf's, of a protection that it does not know
        raise ContentRefused("the PDF is protected in a way that is not known here; save it without") from None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise ContentRefused("the PDF is too damaged to be read; export it again") from None
    if not pages:
        raise ContentRefused("the PDF has no pages")
    return Found("application/pdf", pages=pages)


def _open(file: BinaryIO, kind: MediaKind) -> InputContainer:
    try:
        return open_input(
            file,
            container_options={
                "format_whitelist": _CONTAINERS[kind],
                "codec_whitelist": _CODECS[kind],
                "protocol_whitelist": "",
                "probesize": "5000000",
                "max_streams": "64",
            },
            options={"max_pixels": str(MOST_PIXELS), "threads": "1"},
        )
    except (av.FFmpegError, ValueError):
        raise ContentRefused(f"this is no {TAKEN[kind]} file, or it is too damaged to be read") from None


def _image(container: InputContainer) -> Found:
    stream = _picture_stream(container)
    width, height = _decode_pictures(container, stream, most=1)
    return Found(_TYPES[_name(container)], width=width, height=height)


def _is_whole(content_type: str, file: BinaryIO, size: int) -> bool:
    """Say whether a picture has its end: decoders paint what is missing grey, and say nothing."""
    if content_type == "image/webp":
        file.seek(4)
        return int.from_bytes(file.read(4), "little") + 8 <= size
    file.seek(max(0, size - _TAIL_BYTES))
    return _ENDS[content_type] in file.read()


def _recording(container: InputContainer, kind: MediaKind, *, is_webm: bool) -> Found:
    width = height = None
    if kind is MediaKind.VIDEO:
        stream: av.VideoStream | av.AudioStream = _picture_stream(container)
        assert isinstance(stream, av.VideoStream)
        width, height = _decode_pictures(container, stream, most=MOST_PICTURES)
    else:
        stream = _sound_stream(container)
        _decode_sound(container, stream)
    seconds = _walk_through(container, stream)
    name = _name(container)
    family = "x-matroska" if name == "matroska" and not is_webm else _FAMILIES.get(name)
    content_type = _TYPES.get(name) or f"{kind}/{family}"
    return Found(content_type, duration_seconds=seconds, width=width, height=height)


def _name(container: InputContainer) -> str:
    return container.format.name.split(",")[0]


def _picture_stream(container: InputContainer) -> av.VideoStream:
    stream = container.streams.best("video")
    if not isinstance(stream, av.VideoStream) or stream.codec_context is None:
        raise ContentRefused("there is no picture in the file")
    context = stream.codec_context
    if context.width * context.height > MOST_PIXELS:
        raise ContentRefused(f"its picture has {context.width} x {context.height} pixels; {MOST_PIXELS:,} are taken")
    return stream


def _sound_stream(container: InputContainer) -> av.AudioStream:
    stream = container.streams.best("audio")
    if not isinstance(stream, av.AudioStream):
        raise ContentRefused("there is no sound in the file")
    return stream


def _decode_pictures(container: InputContainer, stream: av.VideoStream, most: int) -> tuple[int, int]:
    """Decode the first pictures; their width and height in pixels."""
    size, decoded, damaged = (0, 0), 0, 0
    for packet in _packets(container, stream):
        try:
            for frame in packet.decode():
                size = size if decoded else (frame.width, frame.height)
                decoded += 1
                damaged += frame.is_corrupt
        except av.FFmpegError:
            damaged += 1
        if decoded >= most:
            break
    if not decoded or damaged > decoded // 10:
        raise ContentRefused(f"of its first {decoded + damaged} pictures {damaged} cannot be decoded; it is damaged")
    return size


def _decode_sound(container: InputContainer, stream: av.AudioStream) -> None:
    """Decode the first ten minutes."""
    seconds, packets, damaged = 0.0, 0, 0
    for packet in _packets(container, stream):
        packets += packet.size > 0
        try:
            for frame in packet.decode():
                seconds += frame.samples / max(1, frame.sample_rate)
                damaged += frame.is_corrupt
        except av.FFmpegError:
            damaged += 1
        if seconds >= MOST_AUDIO_SECONDS:
            break
    if seconds <= 0:
        raise ContentRefused("there is no sound in the file, or it is too damaged to be decoded")
    if damaged > max(1, packets // 20):
        raise ContentRefused(f"{damaged} of its {packets} packets cannot be decoded; it is damaged, so export it again")


def _walk_through(container: InputContainer, stream: av.VideoStream | av.AudioStream) -> float:
    """How many seconds of a stream are there. Raises ContentRefused where the container promises more."""
    base = stream.time_base
    if base is None:
        raise ContentRefused("its stream has no times")
    container.seek(0)
    first: int | None = None
    last = 0
    for packet in _packets(container, stream):
        if packet.pts is None:
            continue
        first = packet.pts if first is None else min(first, packet.pts)
        last = max(last, packet.pts + (packet.duration or 0))
    seconds = float((last - (first or 0)) * base)
    promised = float(stream.duration * base) if stream.duration else (container.duration or 0) / av.time_base
    if seconds <= 0:
        raise ContentRefused("nothing of it can be played; it is too damaged")
    if seconds < promised - max(_MISSING_SECONDS, promised * _MISSING_SHARE):
        raise ContentRefused(
            f"it says that it lasts {promised:.1f} s, but {seconds:.1f} s are there; it is damaged, so export it again"
        )
    return round(seconds, 3)


def _packets(container: InputContainer, stream: av.VideoStream | av.AudioStream) -> Iterator[Any]:
    """The stream's packets up to where the file breaks off. Any: PyAV's own type has the stream's as a parameter."""
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return
