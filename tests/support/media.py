"""Small files of many kinds, made for a test."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from typing import Any

import av
import numpy as np
from pypdf import PdfWriter

RATE = 24_000
IDENTIFIERS = (
    "00c86dbb165459644b6ceff1f1f882e1",
    "c80063feaf9e14af157a1a9a1f1de4a0",
    "c79d48b9b7f7bf58e94fcd0540c81d9c",
    "feff0041004200430044004500460047",
    "fffe4100420043004400450046004700",
)
"""Of PDF documents: any bytes, which a reader may take for text, in UTF-16 or another encoding."""


def tone(container: str = "wav", codec: str = "pcm_s16le", *, seconds: float = 1.0, layout: str = "mono") -> bytes:
    """A tone of 220 Hz as a file."""
    samples = (np.sin(np.arange(int(seconds * RATE)) * 2 * np.pi * 220 / RATE) * 8000).astype(np.int16)
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=RATE)  # Any: its type depends on the codec's name
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(samples[None, :], "s16", "mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(stream.format, stream.layout, RATE, frame_size=stream.frame_size or None)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return written.getvalue()


def film(
    container: str = "mp4", codec: str = "mpeg4", *, pictures: int = 25, width: int = 64, height: int = 48
) -> bytes:
    """A second of pictures that change."""
    width, height = 64, 48
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=25)  # Any: its type depends on the codec's name
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(pictures):
            output.mux(stream.encode(_picture(number, width, height)))
        output.mux(stream.encode(None))
    return written.getvalue()


def image(codec: str = "png", pixels: str = "rgb24", *, width: int = 64, height: int = 48) -> bytes:
    """One picture; `codec` is png, mjpeg or libwebp."""
    context: Any = av.CodecContext.create(codec, "w")  # Any: its type depends on the codec's name
    context.width, context.height, context.pix_fmt, context.time_base = width, height, pixels, Fraction(1, 25)
    frame = _picture(0, width, height).reformat(format=pixels)
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


PROTECTIONS = ("RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256")
"""By which PDF documents are encrypted."""


def pdf(
    pages: int = 2, password: str | None = None, identifier: str | None = None, protection: str = "RC4-128"
) -> bytes:
    """Empty pages. `identifier` is that of the document, in 32 hexadecimal digits; any when there is a password."""
    writer, written = PdfWriter(), io.BytesIO()
    for _ in range(pages):
        writer.add_blank_page(width=200, height=300)
    if password is not None:
        writer.encrypt(password, algorithm=protection)
    writer.write(written)
    content = written.getvalue()
    if identifier is None:
        return content
    own = f"/ID [ <{identifier}> <{identifier}> ]".encode()
    content, changed = re.subn(rb"/ID \[ <[0-9a-f]{32}> <[0-9a-f]{32}> \]", own, content)
    assert changed == 1
    return content


def _picture(number: int, width: int, height: int) -> av.VideoFrame:
    rows = np.add.outer(np.arange(height), np.arange(width)) + number * 5
    frame = av.VideoFrame.from_ndarray(np.stack([rows, rows * 2, rows * 3], 2).astype(np.uint8), "rgb24")
    frame.pts = number
    return frame
