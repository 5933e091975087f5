"""PDF documents are read as far as they can be, and none of them, however it was made, takes more than its share."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator

import psutil
import pytest
from pypdf import PdfReader, PdfWriter

from services.embedding.adapters.pdf import PdfBounds, PdfReading
from services.embedding.domain import FileRefused, FilesUnreadable
from tests.support import media
from tests.support.pdfs import assembled, page_object, pdf, stream

MEMORY = 128 * 2**20
SMALL = PdfBounds(wall_seconds=4, cpu_seconds=3, memory_bytes=MEMORY)
BOOK = ["The lighthouse stood alone.\nNobody climbed it.", "", "In winter the keeper (an old man) left."]


@pytest.fixture
async def reading() -> AsyncIterator[PdfReading]:
    opened = PdfReading(1, SMALL)
    yield opened
    await opened.close()


async def test_pages_are_told_apart(reading: PdfReading) -> None:
    read = await reading.read(pdf(BOOK))
    assert read.text == "\n\n".join(BOOK)
    places = [read.text.index(words) for words in ("lighthouse", "climbed", "winter", "old man")]
    assert [read.page_at(place) for place in places] == [1, 1, 3, 3]


def locked(password: str, protection: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(BOOK))))
    writer.encrypt(password, owner_password="the owner's", algorithm=protection)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        *(locked("secret", one) for one in media.PROTECTIONS),
        *(media.pdf(1, "secret", one) for one in media.IDENTIFIERS),
    ],
)
async def test_what_has_a_password_is_refused(reading: PdfReading, content: bytes) -> None:
    with pytest.raises(FileRefused, match="password"):
        await reading.read(content)


@pytest.mark.parametrize("protection", media.PROTECTIONS)
async def test_what_opens_without_a_password_is_read(reading: PdfReading, protection: str) -> None:
    assert "lighthouse" in (await reading.read(locked("", protection))).text


ENCODED = {
    "Identity-H": ("utf-16-be", "Маяк стоит один"),
    "UniJIS-UTF16-H": ("utf-16-be", "灯台は独りで立っていた"),
    "90ms-RKSJ-H": ("cp932", "灯台は独りで立っていた"),
    "GBK-EUC-H": ("gbk", "灯塔独自矗立"),
    "GBpc-EUC-H": ("gb2312", "灯塔独自矗立"),
    "GBK2K-H": ("gb18030", "灯塔独自矗立"),
    "ETen-B5-H": ("cp950", "燈塔獨自矗立"),
}


@pytest.mark.parametrize("encoding", ENCODED)
async def test_what_a_font_is_encoded_in_is_known_within_the_limits(reading: PdfReading, encoding: str) -> None:
    codec, words = ENCODED[encoding]
    assert (await reading.read(in_two_bytes(encoding, words.encode(codec)))).text == words


def in_two_bytes(encoding: str, words: bytes, letters: str | None = None) -> bytes:
    """A page of a font whose letters have two bytes each; `letters` is its table of what they are."""
    table = "" if letters is None else "/ToUnicode 12 0 R"
    font = f"<< /Type /Font /Subtype /Type0 /BaseFont /Own /Encoding /{encoding} /DescendantFonts [4 0 R] {table} >>"
    objects = {
        2: b"<< /Type /Pages /Kids [10 0 R] /Count 1 >>",
        3: font.encode(),
        4: b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Own >>",
        10: page_object(11),
        11: stream(f"BT /F 11 Tf 40 800 Td <{words.hex()}> Tj ET".encode()),
        12: stream((letters or "").encode()),
    }
    return assembled(objects)


LETTERS = """
begincmap
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
2 beginbfchar
<0009> <20AC>
<000A> <D83DDE00>
endbfchar
2 beginbfrange
<0001> <0005> <0041>
<0006> <0008> [<0391> <0392> <00660066>]
endbfrange
endcmap
"""


async def test_a_font_that_brings_its_letters_is_read(reading: PdfReading) -> None:
    """As browsers and word processors write them."""
    content = in_two_bytes("Identity-H", bytes.fromhex("0001000200060007000800090001000A"), LETTERS)
    assert (await reading.read(content)).text == "ABΑΒff€A😀"


UNREADABLE = {
    "no text": (pdf(["", ""]), "OCR"),
    "no pages": (pdf([]), "OCR|damaged"),
    "cut off": (pdf(BOOK)[:200], "damaged|OCR"),
    "only a header": (b"%PDF-1.7", "damaged"),
    "noise": (b"%PDF-1.7\n" + bytes(range(256)) * 2_000, "damaged"),
    "an unknown protection": (
        pdf(BOOK, trailer="/Encrypt << /Filter /Unheard /V 9 >> /ID [(a) (b)]"),
        "damaged|protected",
    ),
}


@pytest.mark.parametrize(("content", "reason"), UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cannot_be_read_is_refused_with_a_reason(reading: PdfReading, content: bytes, reason: str) -> None:
    with pytest.raises(FileRefused, match=reason):
        await reading.read(content)


def of_shared_kids(levels: int) -> bytes:
    """A page tree of 2 ** levels pages that are all the same one."""
    objects = {99: page_object(98), 98: stream(b"BT /F 11 Tf (x) Tj ET"), 3: b"<< /Type /Font >>"}
    for level in range(levels):
        child = 99 if level == levels - 1 else 10 + level
        number = 2 if level == 0 else 9 + level
        objects[number] = f"<< /Type /Pages /Count {2 ** (levels - level)} /Kids [{child} 0 R {child} 0 R] >>".encode()
    return assembled(objects)


def drawing_itself() -> bytes:
    """A page that draws a form twice, which draws the next one twice, and so on."""
    objects = {10: stream(b"/X0 Do /X0 Do"), 2: b"<< /Type /Pages /Kids [9 0 R] /Count 1 >>"}
    objects[9] = b"<< /Type /Page /Parent 2 0 R /Contents 10 0 R /Resources << /XObject << /X0 20 0 R >> >> >>"
    for level in range(40):
        form = stream(b"BT (x) Tj ET /X0 Do /X0 Do")
        names = f"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X0 {21 + level} 0 R >> >>"
        objects[20 + level] = form.replace(b"<<", names.encode(), 1)
    return assembled(objects)


HOSTILE = {
    "a tree of a billion pages": of_shared_kids(30),
    "a tree that is its own child": assembled({2: b"<< /Type /Pages /Count 1 /Kids [2 0 R] >>"}),
    "forms that draw forms": drawing_itself(),
    "a gigabyte of nothing": assembled(
        {2: b"<< /Type /Pages /Kids [9 0 R] /Count 1 >>", 9: page_object(10), 10: stream(bytes(2**28), packed=2)}
    ),
    "a page that never ends": pdf(["x" * 100] * 1).replace(b"endobj", b"", 1),
    "endless brackets": assembled(
        {2: b"<< /Type /Pages /Kids [9 0 R] /Count 1 >>", 9: page_object(10), 10: stream(b"[" * 5_000_000)}
    ),
    "endless operators": assembled(
        {2: b"<< /Type /Pages /Kids [9 0 R] /Count 1 >>", 9: page_object(10), 10: stream(b"q " * 20_000_000)}
    ),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_file_takes_no_more_than_its_share(reading: PdfReading, content: bytes) -> None:
    """It is refused, or read if it is harmless; the next one is read either way."""
    before = await reading.read(pdf(BOOK))
    looking = asyncio.create_task(most_memory(reading))
    started = time.monotonic()
    try:
        read = await reading.read(content)
    except FileRefused:
        pass
    else:
        assert len(read.text) < 20_000
    assert time.monotonic() - started < SMALL.wall_seconds + 3
    looking.cancel()
    (most,) = await asyncio.gather(looking)
    assert most < MEMORY + 100 * 2**20
    assert await reading.read(pdf(BOOK)) == before


async def test_what_takes_too_long_is_ended(reading: PdfReading) -> None:
    """Many pages that share one long content, each read anew."""
    kids = " ".join(["9 0 R"] * 4_000)
    lines = stream(b"BT /F 11 Tf " + b"(x) Tj 1 0 0 1 3 3 Tm " * 20_000 + b"ET")
    tree = f"<< /Type /Pages /Kids [{kids}] /Count 4000 >>".encode()
    with pytest.raises(FileRefused, match="takes longer to read than the 4 s"):
        await reading.read(assembled({2: tree, 9: page_object(10), 10: lines, 3: b"<< /Type /Font >>"}))
    assert (await reading.read(pdf(BOOK))).pages


async def test_what_takes_too_much_memory_is_ended(reading: PdfReading) -> None:
    contents = " ".join(["10 0 R"] * 8)
    page = page_object(10).replace(b"/Contents 10 0 R", f"/Contents [{contents}]".encode())
    tree = b"<< /Type /Pages /Kids [9 0 R] /Count 1 >>"
    with pytest.raises(FileRefused, match=r"needs more than 128 MB of memory|breaks"):
        await reading.read(assembled({2: tree, 9: page, 10: stream(b"q Q " * 15_000_000, packed=1)}))
    assert (await reading.read(pdf(BOOK))).pages


async def most_memory(reading: PdfReading) -> int:
    """The most memory that a reading process held, until this is cancelled."""
    most = 0
    try:
        while True:
            for number in reading.process_ids:
                for one in (psutil.Process(number), *psutil.Process(number).children()):
                    most = max(most, one.memory_info().rss)
            await asyncio.sleep(0.02)
    except (asyncio.CancelledError, psutil.NoSuchProcess):
        return most


async def test_bounds_are_told() -> None:
    reading = PdfReading(1, PdfBounds(pages=2, characters=40))
    try:
        with pytest.raises(FileRefused, match="has 3 pages, and 2 are read at most"):
            await reading.read(pdf(BOOK))
        with pytest.raises(FileRefused, match="more than 40 characters"):
            await reading.read(pdf(BOOK[:1]))
    finally:
        await reading.close()


async def test_what_is_closed_reads_nothing() -> None:
    reading = PdfReading(1)
    await reading.close()
    with pytest.raises(FilesUnreadable):
        await reading.read(pdf(BOOK))
