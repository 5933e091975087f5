"""Several files as one ZIP that is made while it is sent, in memory for one chunk.

The standard library writes the format: on a file that cannot seek it puts sizes and checksum behind each file. Files
are stored as they are, for audio does not get smaller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from zipfile import ZIP64_LIMIT, ZIP64_VERSION, ZIP_STORED, ZipFile, ZipInfo

from libs.archive.names import Names

CONTENT_TYPE = "application/zip"

_FIRST = datetime(1980, 1, 1, tzinfo=UTC)
_LAST = datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
"""What a ZIP can say of time: its years are seven bits from 1980."""

_READABLE = 0o644 << 16


class ArchiveBroken(Exception):
    """A file came with more or fewer bytes than announced. The archive has no end, so nobody takes it for whole."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to be archived: its wished name, when it was changed, its `size` in bytes, and its content in chunks."""

    name: str
    modified: datetime
    size: int
    chunks: AsyncIterator[bytes]


async def stream_zip(entries: AsyncIterator[Entry]) -> AsyncIterator[bytes]:
    """Yield the ZIP of `entries` in pieces of about the size of their chunks.

    An entry is asked for when those before it were sent. Names are made safe and unique; times, which need a time zone,
    are UTC in steps of two seconds. Chunks are closed when the caller stops early. Raises ArchiveBroken, and whatever
    the entries and their chunks raise; the archive is then without its end.
    """
    unsent = _Unsent()
    names = Names()
    with ZipFile(unsent, "w", compression=ZIP_STORED) as archive:
        async for entry in entries:
            arrived = 0
            async with _closing(entry.chunks):
                with archive.open(_described(entry, names.take(entry.name)), "w") as file:
                    async for chunk in entry.chunks:
                        arrived += len(chunk)
                        if arrived > entry.size:
                            raise ArchiveBroken(f"{entry.name} has more than the {entry.size} bytes announced")
                        file.write(chunk)
                        yield unsent.take()
            if arrived < entry.size:
                raise ArchiveBroken(f"{entry.name} ended after {arrived} of the {entry.size} bytes announced")
    yield unsent.take()


class _Unsent:
    """The write-only file that the archive is written to: what was written and not taken yet."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: what was written can be taken at once."""

    def close(self) -> None:
        """Do nothing: the rest is still to be taken."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _described(entry: Entry, name: str) -> ZipInfo:
    """Return the header of `entry`; its size decides whether it has the fields for more than 4 GiB (Zip64)."""
    moment = min(max(entry.modified.astimezone(UTC), _FIRST), _LAST)
    described = ZipInfo(name, (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second))
    described.compress_type = ZIP_STORED
    described.file_size = entry.size
    described.external_attr = _READABLE
    if entry.size * 1.05 > ZIP64_LIMIT:  # as zipfile decides; before Python 3.11.4 it forgets to say the version
        described.extract_version = ZIP64_VERSION
    return described


@asynccontextmanager
async def _closing(chunks: AsyncIterator[bytes]) -> AsyncIterator[None]:
    """Close `chunks` at the end if it is a generator: it may hold a connection."""
    try:
        yield
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
