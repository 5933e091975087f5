"""What files are, by what they hold."""

from __future__ import annotations

import io

import pytest

from services.storage.adapters.contents import look_into
from services.storage.domain.content import ContentRefused, MediaKind
from tests.support import media
from tests.support.pdfs import pdf

AUDIO, IMAGE, VIDEO, DOCUMENT = MediaKind.AUDIO, MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.DOCUMENT


@pytest.mark.parametrize(
    ("content", "kind", "content_type"),
    [
        (media.tone(), AUDIO, "audio/wav"),
        (media.tone("mp3", "libmp3lame"), AUDIO, "audio/mpeg"),
        (media.tone("ipod", "aac"), AUDIO, "audio/mp4"),
        (media.tone("flac", "flac"), AUDIO, "audio/flac"),
        (media.tone("ogg", "libopus"), AUDIO, "audio/ogg"),
        (media.tone("webm", "libopus"), AUDIO, "audio/webm"),
        (media.film(), VIDEO, "video/mp4"),
        (media.film("webm", "libvpx"), VIDEO, "video/webm"),
        (media.film("matroska"), VIDEO, "video/x-matroska"),
    ],
)
def test_recordings(content: bytes, kind: MediaKind, content_type: str) -> None:
    found = look_into(io.BytesIO(content), len(content), kind, "application/octet-stream")
    assert found.content_type == content_type
    assert found.duration_seconds == pytest.approx(1, abs=0.1)
    assert (found.width, found.height) == ((64, 48) if kind is VIDEO else (None, None))


@pytest.mark.parametrize(
    ("codec", "pixels", "content_type"),
    [
        ("png", "rgb24", "image/png"),
        ("mjpeg", "yuvj420p", "image/jpeg"),
        ("libwebp", "yuv420p", "image/webp"),
    ],
)
def test_pictures(codec: str, pixels: str, content_type: str) -> None:
    content = media.image(codec, pixels)
    found = look_into(io.BytesIO(content), len(content), IMAGE, "image/gif")
    assert (found.content_type, found.width, found.height) == (content_type, 64, 48)


def test_documents() -> None:
    content = media.pdf(3)
    found = look_into(io.BytesIO(content), len(content), DOCUMENT, "text/plain")
    assert (found.content_type, found.pages) == ("application/pdf", 3)
    text = "Grüße".encode()
    assert look_into(io.BytesIO(text), len(text), DOCUMENT, "text/markdown").content_type == "text/markdown"
    assert look_into(io.BytesIO(text), len(text), DOCUMENT, "video/mp4").content_type == "text/plain"


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (media.image("png"), AUDIO, "this is no wav"),
        (media.tone(), VIDEO, "this is no mp4"),
        (media.tone("webm", "libopus"), VIDEO, "there is no picture"),
        (media.film("webm", "libvpx"), AUDIO, "there is no sound"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", IMAGE, "this is no png"),
        (media.image("png")[:-20], IMAGE, "it is damaged"),
        (media.image("mjpeg", "yuvj420p")[:-2], IMAGE, "breaks off"),
        (b"#EXTM3U\nfile:///etc/passwd\n", AUDIO, "this is no wav"),
        (media.pdf(2)[:200], DOCUMENT, "damaged"),
        (media.pdf(1, "secret"), DOCUMENT, "password"),
        (pdf(["words"], trailer="/Encrypt << /Filter /Unheard /V 9 >> /ID [(a) (b)]"), DOCUMENT, "not known"),
        (b"\xff\xfe\x00", DOCUMENT, "byte 0 belongs to no character"),
        (b" \n", DOCUMENT, "white space"),
    ],
)
def test_what_is_refused(content: bytes, kind: MediaKind, said: str) -> None:
    with pytest.raises(ContentRefused, match=said):
        look_into(io.BytesIO(content), len(content), kind, "text/plain")
