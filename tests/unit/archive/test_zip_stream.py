"""An archive that is made while it is sent is one that the standard library, and so everybody, can open."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from zipfile import BadZipFile, ZipFile
from zlib import crc32

import pytest

from libs.archive.zip_stream import ArchiveBroken, Entry, stream_zip

NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)


async def _chunks(*parts: bytes) -> AsyncGenerator[bytes]:
    for part in parts:
        yield part


async def _each(entries: Iterable[Entry]) -> AsyncIterator[Entry]:
    for entry in entries:
        yield entry


def _entry(name: str, *parts: bytes, size: int | None = None, modified: datetime = NOW) -> Entry:
    return Entry(name, modified, len(b"".join(parts)) if size is None else size, _chunks(*parts))


async def _archive(*entries: Entry) -> ZipFile:
    return ZipFile(BytesIO(b"".join([piece async for piece in stream_zip(_each(entries))])))


async def test_files_are_unpacked_as_they_were() -> None:
    with await _archive(
        _entry("a.mp3", b"one", b"two"), _entry("Grüße 👋🏽.wav", b"\0" * 100_000), _entry("empty.txt")
    ) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.mp3", "Grüße 👋🏽.wav", "empty.txt"]
        assert archive.read("a.mp3") == b"onetwo"
        assert archive.read("empty.txt") == b""
        described = archive.getinfo("Grüße 👋🏽.wav")
        assert crc32(b"\0" * 100_000) == described.CRC
        assert (described.file_size, described.compress_size) == (100_000, 100_000)
        assert described.flag_bits & 0x800  # the name is UTF-8
        assert described.date_time == (2026, 3, 4, 5, 6, 8)


async def test_an_archive_of_nothing_is_empty() -> None:
    with await _archive() as archive:
        assert archive.namelist() == []


async def test_no_name_leads_out_of_the_folder_and_none_comes_twice() -> None:
    names = ["../../etc/passwd", "a.mp3", "A.mp3", "a.mp3", "a (2).mp3", "", "con.txt"]
    with await _archive(*(_entry(name, b"x") for name in names)) as archive:
        assert archive.namelist() == [
            "_.._etc_passwd", "a.mp3", "A (2).mp3", "a (3).mp3", "a (2) (2).mp3", "file", "_con.txt"
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("modified", "expected"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(9999, 1, 1, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
        (datetime(2026, 1, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=2))), (2025, 12, 31, 23, 0, 0)),
    ],
    ids=["too early", "too late", "another zone"],
)
async def test_times_are_utc_and_those_that_a_zip_can_say(
    modified: datetime, expected: tuple[int, int, int, int, int, int]
) -> None:
    with await _archive(_entry("a", modified=modified)) as archive:
        assert archive.getinfo("a").date_time == expected


@pytest.mark.parametrize(("size", "said"), [(2, "more than the 2"), (4, "after 3 of the 4")], ids=["longer", "shorter"])
async def test_a_file_of_another_size_leaves_the_archive_without_an_end(size: int, said: str) -> None:
    sent: list[bytes] = []

    async def receive() -> None:
        async for piece in stream_zip(_each([_entry("a", b"b", size=1), _entry("c", b"abc", size=size)])):
            sent.append(piece)  # noqa: PERF401 - a comprehension would lose what came before the error

    with pytest.raises(ArchiveBroken, match=said):
        await receive()
    assert sent
    with pytest.raises(BadZipFile):
        ZipFile(BytesIO(b"".join(sent)))


async def test_chunks_are_closed_when_the_client_leaves() -> None:
    closed = False

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal closed
        try:
            while True:
                yield b"x"
        finally:
            closed = True

    stream = stream_zip(_each([Entry("a", NOW, 2**40, endless())]))
    assert await anext(stream)
    assert isinstance(stream, AsyncGenerator)
    await stream.aclose()
    assert closed


async def test_memory_does_not_grow_with_the_archive() -> None:
    async def zeros() -> AsyncGenerator[bytes]:
        for _ in range(64):
            yield bytes(256 * 1024)

    tracemalloc.start()
    total = 0
    async for piece in stream_zip(_each(Entry(f"{number}", NOW, 2**24, zeros()) for number in range(4))):
        total += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > 2**26
    assert peak < 2**21


@pytest.mark.parametrize("size", [2**20, 5 * 2**30], ids=["small", "over 4 GiB"])
async def test_a_file_over_4_gib_gets_the_fields_for_it(size: int) -> None:
    stream = stream_zip(_each([Entry("a", NOW, size, _chunks(b"x"))]))
    header = (await anext(stream))[:-1]  # without the one byte of content
    assert isinstance(stream, AsyncGenerator)
    await stream.aclose()
    signature, version, flags, method = struct.unpack_from("<IHHH", header)
    name_length, extra_length = struct.unpack_from("<HH", header, 26)
    assert (signature, flags & 0x08, method) == (0x04034B50, 0x08, 0)
    extra = header[30 + name_length :]
    assert len(extra) == extra_length
    if size > 2**32:
        assert version == 45
        assert struct.unpack("<HHQQ", extra) == (1, 16, 0, 0)
    else:
        assert (version, extra) == (20, b"")
